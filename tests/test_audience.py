"""Blocks of sockets: who stands in one is sent each snapshot once, and nobody else at that descriptor anything."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, ClassVar

import pytest

from streaming.delivery import audience
from streaming.delivery.client import Client
from streaming.delivery.hub import Hub
from streaming.delivery.sending import Sender
from streaming.servers.socket_sender import SocketSender
from tests.hubs import make_frame


class Transport:
    """Keeps what it is given until `flush`, and tells its sender."""

    def __init__(self, server: socket.socket) -> None:
        self.server = server
        self.kept = b""
        self.is_open = True
        self.sender: SocketSender | None = None

    def write(self, data: bytes) -> None:
        self.kept += data
        assert self.sender is not None
        self.sender.pause()

    def flush(self) -> None:
        assert self.sender is not None
        self.kept = self.kept[self.server.send(self.kept) :]
        if not self.kept:
            self.sender.resume()


class PairSender(SocketSender):
    """On one end of a socket pair."""

    __slots__ = ()
    name: ClassVar[str] = "pair"

    @property
    def is_open(self) -> bool:
        return bool(self._transport.is_open)

    @property
    def kept(self) -> int:
        return len(self._transport.kept)

    def close(self, code: int, reason: str) -> Awaitable[None] | None:
        return None

    def drop(self) -> None: ...


class Peer:
    """A connection by a real socket pair; `send` stands for its ASGI send."""

    def __init__(self) -> None:
        server, self.socket = socket.socketpair()
        server.setblocking(False)
        self.socket.settimeout(5)
        self.transport = Transport(server)

    async def send(self, message: Any) -> None:
        raise AssertionError("nothing goes the slow way")

    def received(self) -> bytes:
        """Everything that is there."""
        self.socket.setblocking(False)
        parts = []
        try:
            while part := self.socket.recv(1 << 20):
                parts.append(part)
        except BlockingIOError:
            pass
        return b"".join(parts)

    def fill(self) -> int:
        """Have the socket take nothing more; returns how much it took."""
        taken = 0
        try:
            while True:
                taken += self.transport.server.send(b"\0" * 1000)
        except BlockingIOError:
            return taken


def make_pair_sender(send: Any) -> Sender:
    transport = send.__self__.transport
    transport.sender = PairSender(transport, transport.server.fileno())
    return transport.sender  # type: ignore[no-any-return]


@pytest.fixture
def peers() -> Iterator[Callable[[], Peer]]:
    made: list[Peer] = []

    def make() -> Peer:
        made.append(Peer())
        return made[-1]

    yield make
    for peer in made:
        peer.socket.close()
        peer.transport.server.close()


def make_socket_hub(**options: Any) -> Hub:
    return Hub(make_sender=make_pair_sender, **options)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - any condition, polled
            await asyncio.sleep(0)


def frames(*numbers: int) -> bytes:
    return b"".join(make_frame(number).encoded for number in numbers)


def test_whoever_has_everything_is_sent_the_next_snapshot_without_being_asked(
    peers: Callable[[], Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a client was asked, or told")

    async def scenario() -> None:
        hub = make_socket_hub()
        await hub.pass_on(make_frame(1))
        some = [peers() for _ in range(3 * audience.SIZE)]
        for peer in some:
            hub.join(peer.send)
        for name in ("offer", "send", "finish"):
            monkeypatch.setattr(Client, name, refuse)
        monkeypatch.setattr(SocketSender, "write", refuse)
        await hub.pass_on(make_frame(2))
        await hub.pass_on(make_frame(3))
        assert {peer.received() for peer in some} == {frames(1, 2, 3)}

    asyncio.run(scenario())


def test_a_socket_that_is_full_keeps_the_others_from_nothing_and_gets_every_byte(peers: Callable[[], Peer]) -> None:
    async def scenario() -> None:
        hub = make_socket_hub()
        await hub.pass_on(make_frame(1))
        stuck, broken, quick = peers(), peers(), peers()
        clients = [hub.join(peer.send) for peer in (stuck, broken, quick)]
        filled = stuck.fill()
        broken.socket.close()
        await hub.pass_on(make_frame(2))
        await hub.pass_on(make_frame(3))
        assert quick.received() == frames(1, 2, 3)
        assert hub.audience.settled == 1
        assert clients[0].is_behind
        received = stuck.received()
        assert received == frames(1) + b"\0" * filled
        stuck.transport.flush()
        await until(lambda: not clients[0].is_behind)
        await hub.pass_on(make_frame(4))
        assert stuck.received() == frames(2, 3, 4)
        assert hub.audience.settled == 2
        hub.leave(clients[1])

    asyncio.run(scenario())


def test_a_ping_that_waits_is_not_overtaken_by_half(peers: Callable[[], Peer]) -> None:
    async def scenario() -> None:
        hub = make_socket_hub()
        await hub.pass_on(make_frame(1))
        peer = peers()
        client = hub.join(peer.send)
        peer.transport.write(b"PI")  # the server's own; it gets out when the loop turns
        assert hub.audience.settled == 0
        await hub.pass_on(make_frame(2))
        peer.transport.write(b"NG")
        assert peer.received() == frames(1)
        peer.transport.flush()
        await until(lambda: not client.is_behind)
        assert peer.received() in {b"PI" + b"NG" + frames(2), b"PI" + frames(2) + b"NG"}

    asyncio.run(scenario())


def test_who_comes_while_a_snapshot_goes_out_gets_it_once(
    peers: Callable[[], Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "SIZE", 1)

    async def scenario() -> None:
        hub = make_socket_hub(clock=lambda: next(clock))  # each look at it ends a turn
        await hub.pass_on(make_frame(1))
        first = [peers() for _ in range(5)]
        clients = [hub.join(peer.send) for peer in first]
        late: list[Peer] = []

        async def come_and_go() -> None:
            while len(late) < 4:
                late.append(peers())
                hub.join(late[-1].send, since=1)
                late.append(peers())
                hub.join(late[-1].send)
                if len(late) == 2:
                    hub.leave(clients[4])  # before its turn
                await asyncio.sleep(0)

        coming = asyncio.create_task(come_and_go())
        await hub.pass_on(make_frame(2))
        await coming
        await hub.pass_on(make_frame(3))
        assert [peer.received() for peer in first] == [frames(1, 2, 3)] * 4 + [frames(1)]
        assert {peer.received() for peer in late} == {frames(2, 3)}

    clock = iter(range(1_000_000))
    asyncio.run(scenario())


def test_a_sweep_that_is_broken_off_leaves_no_hole(peers: Callable[[], Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "SIZE", 1)

    async def scenario() -> None:
        hub = make_socket_hub(clock=lambda: next(clock))  # each look at it ends a turn
        await hub.pass_on(make_frame(1))
        some = [peers() for _ in range(4)]
        clients = [hub.join(peer.send) for peer in some]
        sweep = asyncio.create_task(hub.pass_on(make_frame(2)))
        await until(lambda: any(client.block and client.block.after == 2 for client in clients))
        sweep.cancel()
        await asyncio.wait([sweep])
        assert any(client.block and client.block.after == 1 for client in clients)
        await hub.pass_on(make_frame(3))
        await until(lambda: not any(client.is_behind for client in clients))
        assert {peer.received() for peer in some} == {frames(1, 2, 3)}

    clock = iter(range(1_000_000))
    asyncio.run(scenario())


def test_a_sender_that_loses_its_socket_is_not_written_to(peers: Callable[[], Peer]) -> None:
    async def scenario() -> None:
        hub = make_socket_hub()
        await hub.pass_on(make_frame(1))
        peer = peers()
        client = hub.join(peer.send)
        peer.transport.is_open = False
        assert peer.transport.sender is not None
        peer.transport.sender.lose()
        await hub.pass_on(make_frame(2))
        assert peer.received() == frames(1)
        assert client.is_gone
        assert not hub.clients

    asyncio.run(scenario())


def test_much_that_is_missing_goes_out_in_stretches_that_hide_no_hole(
    peers: Callable[[], Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(PairSender, "put", lambda sender, data: written.append(data) or len(data))

    async def scenario() -> None:
        hub = make_socket_hub()
        for number in (*range(1, 45), *range(46, 61)):  # nobody has 45
            await hub.pass_on(make_frame(number))
        client = hub.join(peers().send, since=1)
        await until(lambda: client.block is not None)
        assert len(written) < 10
        told = make_frame(46).after_a_hole(44).encoded
        assert b"".join(written) == frames(*range(2, 45)) + told + frames(*range(47, 61))
        # who has another place is sent the very same stretches, but for the first
        before = written.copy()
        written.clear()
        other = hub.join(peers().send, since=9)
        await until(lambda: other.block is not None)
        assert sum(any(one is another for another in before) for one in written) >= 2

    asyncio.run(scenario())
