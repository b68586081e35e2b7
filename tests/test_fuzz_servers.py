"""Whatever bytes come to either server, over HTTP or in a WebSocket, it goes on, and writes no traceback.

`make fuzz` does this for minutes; here, for a second or two each.
"""

import socket
from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzzing import fuzz
from tests.processes import Server
from tests.test_rude_clients import RUDE_MESSAGES, RUDE_REQUESTS, dial, frame, open_stream

#: Frames, most of them nearly right: flags and opcode, whether masked, the length that is said, and the payload.
CLOSE_CODES = (b"", b"\x03\xe8", b"\x03\xe8bye", b"\x00\x01", b"\x03\xf3", b"\x03\xe8\xff", b"\xff\xff")
PAYLOADS = st.one_of(
    st.binary(max_size=125),
    st.text(max_size=30).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from((*CLOSE_CODES, b"\xff", b"\xc3", b"x" * 125)),
)


def make_frame(first: int, is_masked: bool, said: int | None, payload: bytes) -> bytes:
    """One frame; `said`: a length other than its own (125 to 127 announce a longer form)."""
    length = len(payload) if said is None else said
    return bytes([first, (0x80 if is_masked else 0) | length]) + (b"\0\0\0\0" if is_masked else b"") + payload


FRAMES = st.builds(
    make_frame,
    st.one_of(st.sampled_from([0x81, 0x82, 0x88, 0x89, 0x8A, 0x01, 0x00, 0x80]), st.integers(0, 255)),
    st.sampled_from([True, True, True, False]),
    st.one_of(st.none(), st.none(), st.none(), st.integers(0, 127)),
    PAYLOADS,
)
LINES = st.one_of(
    st.sampled_from(
        [
            b"Host: 127.0.0.1",
            b"Host: evil.example",
            b"Content-Length: 5",
            b"Content-Length: -1",
            b"Transfer-Encoding: chunked",
            b"Connection: Upgrade",
            b"Upgrade: websocket",
            b"Expect: 100-continue",
            b"Cookie: sessionid=\xff",
        ]
    ),
    st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"")),
)
REQUESTS = st.builds(
    lambda method, path, version, lines, body: b"\r\n".join([b" ".join([method, path, version]), *lines, b"", body]),
    st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS", b"PRI", b"\xff"]),
    st.one_of(
        st.sampled_from([b"/", b"/stream/live", b"/stream/latest", b"/account/login/", b"*", b"/%ff", b"//", b"/\xff"]),
        st.binary(max_size=30).map(lambda path: b"/" + path.replace(b"\n", b"").replace(b" ", b"")),
    ),
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b""]),
    st.lists(LINES, max_size=5),
    st.one_of(
        st.sampled_from([b"", b"hello", b"-1\r\n\r\n", b"0\r\n\r\n", b"fffffffffffffffff\r\n"]), st.binary(max_size=40)
    ),
)


def send(connection: socket.socket, said: bytes) -> None:
    """Say something, then that this is all; read until the other side says the same."""
    with suppress(ConnectionError):
        connection.sendall(said)
        with suppress(OSError):  # it is closed already
            connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


@fuzz(30)
@given(st.lists(FRAMES, min_size=1, max_size=6))
@example([RUDE_MESSAGES[0]])
@example([RUDE_MESSAGES[1]])
@example([frame(8, b"\x03\xe8"), frame(1, b"hello"), frame(9, b"")])
@example([make_frame(0x81, True, 127, b"\xff" * 8)])
def test_no_frames_break_a_server(server: Server, frames: list[bytes]) -> None:
    with open_stream(server) as connection:
        send(connection, b"".join(frames))
    assert "Traceback" not in server.output


@fuzz(30)
@given(st.lists(REQUESTS, min_size=1, max_size=3))
@example([RUDE_REQUESTS[1]])
@example([RUDE_REQUESTS[6]])
@example([*[b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"] * 5, b"nonsense\r\n\r\n"])
@example([b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"nonsense\r\n\r\n"])
def test_no_requests_break_a_server(server: Server, requests: list[bytes]) -> None:
    with dial(server) as connection:
        send(connection, b"".join(requests))
    assert "Traceback" not in server.output


def test_after_all_that_snapshots_still_come(server: Server) -> None:
    assert len(server.receive(3)) == 3
