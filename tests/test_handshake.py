"""Which requests are plain handshakes, and become a WebSocket without asking a server's WebSocket library."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.http11 import Request
from websockets.server import ServerProtocol

from streaming.servers.handshake import LARGEST_HEAD, MOST_HEADERS, PlainRequest
from tests.fuzzing import fuzz
from tests.test_rude_clients import frame

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
