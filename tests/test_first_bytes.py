"""What becomes of a connection by its first bytes, on both servers: the same as where they parse all of it."""

import asyncio
from collections.abc import Callable
from io import BufferedReader
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any
from unittest.mock import Mock

import pytest
import uvicorn
from autobahn.twisted.websocket import WebSocketServerProtocol
from daphne.ws_protocol import WebSocketFactory
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from uvicorn.server import ServerState
from websockets.server import ServerProtocol

from streaming.limits.places import Places
from streaming.limits.visits import Visits
from streaming.servers import SERVERS
from streaming.servers.daphne_sender import WatchedProtocol as DaphneProtocol
from streaming.servers.daphne_server import Server as DaphneServer
from streaming.servers.uvicorn_http import FirstProtocol
from streaming.servers.uvicorn_sender import WatchedProtocol as UvicornProtocol
from tests.processes import Server
from tests.test_handshake import ACCEPTED, HEADERS, NOT_PLAIN, PLAIN, UNUSUAL, headers_with, write
from tests.test_rude_clients import dial, frame

# --- without a socket ---


class Desk:
    """An application that accepts, choosing the last subprotocol, and keeps the scope."""

    def __init__(self) -> None:
        self.scope: dict[str, Any] = {}

    async def application(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert await receive() == {"type": "websocket.connect"}
        self.scope = {**scope, "headers": [*scope["headers"]]}
        await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[-1]})
        await receive()


async def settle() -> None:
    """Let the loop turn until nothing is left to do: nothing here waits for anything outside of it."""
    for _ in range(50):
        await asyncio.sleep(0)


async def ask_uvicorn(request: bytes, *, is_known: bool) -> tuple[dict[str, Any], bytes]:
    desk, state, visits = Desk(), ServerState(), Visits(Places(10, 0))
    connections: set[Any] = state.connections
    config = uvicorn.Config(
        desk.application,
        ws=UvicornProtocol,
        interface="asgi3",
        ws_per_message_deflate=False,
        proxy_headers=False,
        log_config=None,
    )
    config.load()
    transport = Mock(asyncio.Transport, is_closing=lambda: False)
    addresses = {"sockname": ("127.0.0.1", 8000), "peername": ("127.0.0.2", 40000), "sslcontext": None, "socket": None}
    transport.get_extra_info = lambda name, default=None: addresses.get(name, default)
    first = FirstProtocol(visits, is_known, config=config, server_state=state, app_state={"a": 1})
    transport.set_protocol(first)
    transport.get_protocol = lambda: transport.set_protocol.call_args.args[0]
    first.connection_made(transport)
    assert (connections, visits.places.taken) == ({first}, 1)
    if request:
        first.data_received(request)
    await settle()
    now: Any = transport.get_protocol()
    assert (connections, visits.places.taken) == ({now}, 1)
    now.connection_lost(None)
    assert (connections, visits.places.taken) == (set(), 0)
    return desk.scope, b"".join(call.args[0] for call in transport.write.call_args_list)


class Wire(StringTransport):  # type: ignore[misc]  # it has no types
    """Twisted's transport for tests, of which a server may ask what it may of a socket's, too."""

    def resumeProducing(self) -> None:
        """Nothing: all is there already."""

    def unregisterProducer(self) -> None:
        """As a socket's, also where there is none."""
        self.producer = None


async def ask_daphne(request: bytes, *, is_known: bool) -> tuple[dict[str, Any], bytes]:
    desk, visits = Desk(), Visits(Places(10, 0))
    server = DaphneServer(application=desk.application, endpoints=["tcp:0"], visits=visits, server_name="")
    server.connections = {}
    server.http_factory = None  # makes ours
    server.http_factory.is_known = is_known
    server.ws_factory = WebSocketFactory(server, server="")
    server.ws_factory.protocol = DaphneProtocol
    transport = Wire(IPv4Address("TCP", "127.0.0.1", 8000), IPv4Address("TCP", "127.0.0.2", 40000))
    transport.protocol = first = server.http_factory.buildProtocol(transport.getPeer())
    first.makeConnection(transport)
    if request:
        first.dataReceived(request)
    await settle()
    assert visits.places.taken == 1
    transport.protocol.connectionLost(Failure(ConnectionDone()))
    assert visits.places.taken == 0
    return desk.scope, transport.value()


ASK: dict[str, Callable[..., Any]] = {"daphne": ask_daphne, "uvicorn": ask_uvicorn}


def parse_answer(answer: bytes) -> dict[bytes, bytes]:
    """The headers of an answer that accepts, whatever their case; without the time."""
    status, *lines = answer.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert status == b"HTTP/1.1 101 Switching Protocols"
    fields = dict(line.split(b": ") for line in lines)
    fields = {name.lower(): value for name, value in fields.items()}
    assert len(fields) == len(lines)
    assert fields.pop(b"upgrade").lower() == b"websocket"
    fields.pop(b"date", None)
    return fields


@pytest.fixture
def is_asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Gets an entry each time that a library parses a request."""
    asked: list[str] = []
    for library, parse in ((WebSocketServerProtocol, "processHandshake"), (ServerProtocol, "accept")):
        own = getattr(library, parse)

        def note(*arguments: Any, own: Any = own, parse: str = parse) -> Any:
            asked.append(parse)
            return own(*arguments)

        monkeypatch.setattr(library, parse, note)
    return asked


@pytest.mark.parametrize("case", PLAIN)
@pytest.mark.parametrize("server", SERVERS)
def test_the_same_comes_of_it_as_of_the_server_s_own_way(server: str, case: str, is_asked: list[str]) -> None:
    url, changes = PLAIN[case]
    request = write(url, headers_with({**changes}))
    scope, answer = asyncio.run(ASK[server](request, is_known=True))
    assert not is_asked
    own_scope, own_answer = asyncio.run(ASK[server](request, is_known=False))
    assert len(is_asked) == 1
    assert {**scope, "headers": sorted(scope["headers"])} == {**own_scope, "headers": sorted(own_scope["headers"])}
    assert parse_answer(answer) == parse_answer(own_answer)
    assert parse_answer(answer)[b"sec-websocket-accept"] == ACCEPTED


@pytest.mark.parametrize("case", NOT_PLAIN)
@pytest.mark.parametrize("server", SERVERS)
def test_of_what_is_not_plain_the_library_decides(server: str, case: str, is_asked: list[str]) -> None:
    url, changes = NOT_PLAIN[case]
    request = write(url, headers_with(changes))
    known, own = (asyncio.run(ASK[server](request, is_known=is_known)) for is_known in (True, False))
    assert known[0] == own[0]
    assert known[1].partition(b"\r\n")[0] == own[1].partition(b"\r\n")[0]
    assert len(is_asked) in {0, 2}  # what is no request at all, or none for a WebSocket, no library sees


@pytest.mark.parametrize("server", SERVERS)
def test_who_says_nothing_is_nobody_s(server: str) -> None:
    assert asyncio.run(ASK[server](b"", is_known=True)) == ({}, b"")


def test_a_handshake_that_fails_within_daphne_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DaphneProtocol, "onConnect", Mock(side_effect=OSError("it broke")))
    _, answer = asyncio.run(ask_daphne(write("/", HEADERS), is_known=True))
    assert answer.startswith(b"HTTP/1.1 500 Internal server error\r\n")


# --- a real server ---


def read_head(answer: BufferedReader) -> bytes:
    """The first line of an answer, of which all headers and, where it has one, the body are read."""
    status, length = answer.readline(), 0
    while line := answer.readline().strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    answer.read(length)
    return status


ASKED_BEFORE = b"GET /stream/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize(
    ("before", "changes", "is_in_pieces"),
    [(b"", {}, False), (b"", UNUSUAL, False), (b"", {}, True), (ASKED_BEFORE, {}, False)],
    ids=["plain", "unusual", "in pieces", "after a request"],
)
def test_however_a_connection_began_it_is_one_like_any_other(
    server: Server, before: bytes, changes: dict[str, str], *, is_in_pieces: bool
) -> None:
    with dial(server) as connection, connection.makefile("rb") as answer:
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        if before:
            connection.sendall(before)
            assert b" 200 " in read_head(answer)
        request = write("/stream/live", {**HEADERS, **changes})
        for piece in [bytes([byte]) for byte in request] if is_in_pieces else [request]:
            connection.sendall(piece)
        assert b" 101 " in read_head(answer)
        first = answer.read(2)
        assert first == b"\x81\x7e"  # a text of more than 125 bytes
        answer.read(int.from_bytes(answer.read(2), "big"))
        connection.sendall(frame(0x9, b"hello"))
        while (head := answer.read(2)) == b"\x81\x7e":
            answer.read(int.from_bytes(answer.read(2), "big"))
        assert (head, answer.read(5)) == (b"\x8a\x05", b"hello")
        connection.sendall(frame(0x8, b"\x03\xe8"))
        assert answer.read().endswith(b"\x88\x02\x03\xe8")
