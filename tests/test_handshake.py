"""Handshakes that are answered without asking a server's WebSocket library: the same comes of them as with it."""

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
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from uvicorn.server import ServerState
from websockets.http11 import Request
from websockets.server import ServerProtocol

from streaming.limits.places import Places
from streaming.limits.visits import Visits
from streaming.servers import SERVERS
from streaming.servers.daphne_sender import WatchedProtocol as DaphneProtocol
from streaming.servers.daphne_server import Server as DaphneServer
from streaming.servers.handshake import LARGEST_HEAD, MOST_HEADERS, PlainRequest
from streaming.servers.uvicorn_http import FirstProtocol
from streaming.servers.uvicorn_sender import WatchedProtocol as UvicornProtocol
from tests.fuzzing import fuzz
from tests.processes import Server
from tests.test_rude_clients import dial, frame

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPTED = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, section 1.3
HEADERS = {
    "Host": "localhost:8000",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
#: What makes a request unusual and changes nothing.
UNUSUAL = {"X_Unusual": "1"}

PLAIN: dict[str, tuple[str, dict[str, str]]] = {
    "a program": ("/stream/live", {}),
    "a query": ("/stream/live?since=1735174460123&other=%20%ff+", {}),
    "an escaped path": ("/share/%61%2Fb%C3%A4/stream/live", {}),
    "Chromium": (
        "/stream/live",
        {
            "Origin": "http://localhost:8000",
            "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
            "Accept-Language": "de-DE,de;q=0.9",
            "Cookie": "sessionid=a; csrftoken=b",
        },
    ),
    "Firefox": ("/stream/live", {"Connection": "keep-alive, Upgrade", "Origin": "https://[::1]:8443"}),
    "subprotocols": ("/stream/live", {"Sec-WebSocket-Protocol": "token.abc-_~, snapshots,other"}),
    "another way to write it": ("/", {"Upgrade": "WebSocket", "Connection": "upgrade", "Host": "[::1]"}),
}
NOT_PLAIN: dict[str, tuple[str, dict[str, str | None]]] = {
    "an underscore": ("/stream/live", {**UNUSUAL}),
    "a whole address": ("http://localhost/stream/live", {}),
    "two slashes": ("//localhost/stream/live", {}),
    "a fragment": ("/stream/live#now", {}),
    "a parameter": ("/stream/live;v=1", {}),
    "a letter beyond ASCII": ("/stream/l\u00efve", {}),
    "no host": ("/", {"Host": None}),
    "a strange host": ("/", {"Host": "localhost:port"}),
    "no key": ("/", {"Sec-WebSocket-Key": None}),
    "a short key": ("/", {"Sec-WebSocket-Key": "AAAA"}),
    "a key that is none": ("/", {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAA*=="}),
    "another version": ("/", {"Sec-WebSocket-Version": "8"}),
    "no version": ("/", {"Sec-WebSocket-Version": None}),
    "no upgrade": ("/", {"Upgrade": "websocket, h2c"}),
    "another connection": ("/", {"Connection": "keep-alive"}),
    "a body": ("/", {"Content-Length": "0"}),
    "a body in chunks": ("/", {"Transfer-Encoding": "chunked"}),
    "no origin": ("/", {"Origin": ""}),
    "a hidden origin": ("/", {"Origin": "null"}),
    "another origin": ("/", {"Origin": "http://a b"}),
    "a subprotocol that is none": ("/", {"Sec-WebSocket-Protocol": "a b"}),
    "a subprotocol twice": ("/", {"Sec-WebSocket-Protocol": "a, a"}),
    "a control character": ("/", {"Cookie": "a\x01"}),
    "much": ("/", {"Cookie": "a" * LARGEST_HEAD}),
    "many": ("/", {f"X-{number}": "1" for number in range(MOST_HEADERS)}),
}


def headers_with(changes: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in {**HEADERS, **changes}.items() if value is not None}


def write(url: str, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {url} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def find(url: str, headers: dict[str, str]) -> PlainRequest | None:
    return PlainRequest.find(write(url, headers))


@pytest.mark.parametrize("case", PLAIN)
def test_what_browsers_and_programs_send_is_plain(case: str) -> None:
    url, changes = PLAIN[case]
    request = find(url, headers_with({**changes}))
    assert request is not None
    assert request.key == KEY
    assert f"{request.path.decode()}?{request.query.decode()}".rstrip("?") == url


@pytest.mark.parametrize("case", NOT_PLAIN)
def test_whatever_is_unusual_is_not(case: str) -> None:
    url, changes = NOT_PLAIN[case]
    assert find(url, headers_with(changes)) is None


REQUEST = write("/", HEADERS)
ODD = {
    "another method": REQUEST.replace(b"GET", b"POST"),
    "a method in small letters": REQUEST.replace(b"GET", b"get"),
    "an old version": REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a header twice": REQUEST.replace(b"\r\n", b"\r\nHost: localhost:8000\r\n", 1),
    "a header twice, written otherwise": REQUEST.replace(b"\r\n", b"\r\nhOST: other\r\n", 1),
    "a part of it": REQUEST[:-2],
    "a frame behind it": REQUEST + frame(0x9, b"hello"),
    "two of them": REQUEST * 2,
    "an empty line before it": b"\r\n" + REQUEST,
    "a header in two lines": REQUEST.replace(b"\r\nUpgrade", b"\r\n\tand more\r\nUpgrade"),
    "no space": REQUEST.replace(b"Host: ", b"Host:"),
    "a space before the colon": REQUEST.replace(b"Host:", b"Host :"),
    "a space too much": REQUEST.replace(b"Host: ", b"Host:  "),
    "a space at the end": REQUEST.replace(b"\r\n", b"\r\nCookie: a \r\n", 1),
    "lines that end otherwise": REQUEST.replace(b"\r\n", b"\n"),
    "a header without a name": REQUEST.replace(b"\r\n", b"\r\n: a\r\n", 1),
    "a header without a value": REQUEST.replace(b"\r\n", b"\r\nCookie: \r\n", 1),
    "a null byte": REQUEST.replace(b"\r\n", b"\r\nCookie: a\0\r\n", 1),
    "no header": b"GET / HTTP/1.1\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("case", ODD)
def test_nothing_else_is(case: str) -> None:
    assert PlainRequest.find(REQUEST) is not None
    assert PlainRequest.find(ODD[case]) is None


TEXT = st.text(st.characters(max_codepoint=255), max_size=20)


@fuzz(300)
@given(
    st.one_of(TEXT, TEXT.map(lambda text: f"/{text}")),
    st.dictionaries(
        st.one_of(st.sampled_from([*HEADERS, "Origin", "Sec-WebSocket-Protocol", "Cookie"]), TEXT),
        st.one_of(TEXT, st.sampled_from([*HEADERS.values(), "keep-alive, upgrade", "a, b"])),
        max_size=3,
    ),
)
@example("/", {})
@example("/", {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==\n"})
@example("/", {"Sec-WebSocket-Protocol": "a,b"})
def test_what_is_plain_the_library_accepts_too(url: str, changes: dict[str, str]) -> None:
    headers = headers_with({**changes})
    plain = find(url, headers)
    if plain is None:
        return
    library = ServerProtocol()
    library.receive_data(write(url, headers))
    (request,) = library.events_received()
    assert isinstance(request, Request)
    assert request.path == url
    assert url.partition("?")[::2] == (plain.path.decode(), plain.query.decode())
    assert [(name.lower().encode(), value.encode()) for name, value in request.headers.raw_items()] == plain.headers
    answer = library.accept(request)
    assert answer.status_code == 101
    assert answer.headers["Sec-WebSocket-Accept"].encode() == ACCEPTED or headers["Sec-WebSocket-Key"] != KEY


# --- both servers, without a socket ---


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
