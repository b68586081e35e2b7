"""Keep-alive pings: while snapshots reach a client most are left out, and the kernel notices who is gone."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.protocol import State

from streaming.servers import PINGS_AS_ONE
from streaming.servers.daphne_sender import WatchedProtocol as DaphneProtocol
from streaming.servers.daphne_server import Server as DaphneServer
from streaming.servers.socket_sender import SocketSender
from streaming.servers.uvicorn_sender import WatchedProtocol as UvicornProtocol
from streaming.servers.uvicorn_server import Server as UvicornServer


@pytest.fixture
def client() -> SimpleNamespace:
    return SimpleNamespace(has=1)


@pytest.fixture
def sender(client: SimpleNamespace) -> SocketSender:
    sender = SocketSender(Mock(), 0)
    sender.watch(client)
    return sender


def read_timeout(listening: socket.socket) -> int:
    """Milliseconds after which the kernel ends a connection that is accepted there and acknowledges nothing."""
    with socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            return accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


async def begin_uvicorn(listening: socket.socket) -> None:
    config = uvicorn.Config(Mock(), lifespan="off", log_config=None)
    config.load()
    server = UvicornServer(config, Mock(), Mock())
    server.lifespan = config.lifespan_class(config)
    await server.startup([listening])
    server.servers[0].close()


async def begin_daphne(listening: socket.socket) -> None:
    DaphneServer(application=Mock(), endpoints=["tcp:0"]).listen_success(Mock(socket=listening))


@pytest.mark.parametrize("begin", [begin_uvicorn, begin_daphne])
@pytest.mark.parametrize(("may_wait_s", "milliseconds"), [(30.0, 75_000), (300.0, 315_000)])
def test_the_kernel_ends_a_connection_whose_peer_acknowledges_nothing_for_longer_than_anybody_may_read(
    begin: Callable[[socket.socket], Coroutine[Any, Any, None]], may_wait_s: float, milliseconds: int, settings: Any
) -> None:
    settings.STREAM_SEND_TIMEOUT = may_wait_s
    with socket.create_server(("127.0.0.1", 0)) as listening:
        asyncio.run(begin(listening.dup()))
        listening.setblocking(True)
        assert read_timeout(listening) == milliseconds


def test_of_the_pings_to_a_client_that_snapshots_reach_one_in_some_is_sent(
    sender: SocketSender, client: SimpleNamespace
) -> None:
    spared = []
    for _ in range(2 * PINGS_AS_ONE):
        client.has += 1
        spared.append(sender.spares_ping())
    assert spared == [*[True] * (PINGS_AS_ONE - 1), False] * 2


def test_where_no_snapshot_went_out_since_the_last_each_ping_is_sent(
    sender: SocketSender, client: SimpleNamespace
) -> None:
    assert sender.spares_ping()
    assert [sender.spares_ping() for _ in range(3)] == [False] * 3
    client.has += 1
    assert [sender.spares_ping() for _ in range(2)] == [True, False]


def test_nobody_is_spared_whom_nothing_was_sent_to(client: SimpleNamespace) -> None:
    sender = SocketSender(Mock(), 0)
    assert not sender.spares_ping()
    client.has = -1
    sender.watch(client)
    assert not sender.spares_ping()


def test_where_the_kernel_does_not_watch_every_ping_is_sent(
    sender: SocketSender, client: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming.servers.socket_sender.USER_TIMEOUT", None)
    client.has += 1
    assert not sender.spares_ping()


def test_uvicorn_leaves_out_a_ping_that_is_spared_and_comes_back() -> None:
    async def scenario() -> None:
        config = uvicorn.Config(Mock(), ws_ping_interval=60, log_config=None)
        config.load()
        protocol = UvicornProtocol(config=config, server_state=ServerState(), app_state={})
        protocol.transport = Mock(is_closing=lambda: False)
        protocol.conn.state = State.OPEN
        protocol.sender = Mock(spares_ping=Mock(side_effect=[True, False]))
        protocol.send_keepalive_ping()
        assert not protocol.transport.write.called
        assert protocol.ping_timer is not None
        protocol.send_keepalive_ping()
        (frame,) = protocol.transport.write.call_args.args
        assert frame[:2] == b"\x89\x04"  # a ping
        protocol.stop_keepalive()

    asyncio.run(scenario())


def test_daphne_leaves_out_a_ping_that_is_spared_and_comes_back() -> None:
    protocol = DaphneProtocol()
    protocol.state = protocol.STATE_OPEN
    protocol.server = SimpleNamespace(ping_interval=60, websocket_timeout=-1)
    protocol.socket_opened = time.time()
    protocol.sender = Mock(spares_ping=Mock(side_effect=[True, False]))
    protocol._sendAutoPing = Mock()
    for is_due, pings in ((True, 0), (False, 0), (True, 1)):
        protocol.last_ping = time.time() - (61 if is_due else 59)
        protocol.check_timeouts()
        assert protocol._sendAutoPing.call_count == pings
        assert time.time() - protocol.last_ping < (1 if is_due else 60)
    assert protocol.sender.spares_ping.call_count == 2
