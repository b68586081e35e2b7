"""Connections that behave badly: they break, say nonsense or nothing, and the stream and its log stay in order."""

import json
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.conftest import StartServer
from tests.processes import Server, wait_until
from tests.test_slow_clients import HANDSHAKE


def dial(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def open_stream(server: Server) -> socket.socket:
    """A raw connection whose handshake was answered."""
    connection = dial(server)
    connection.sendall(HANDSHAKE)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(4096)
    assert b" 101 " in answer.splitlines()[0]
    return connection


def reset(connection: socket.socket) -> None:
    """Break the connection: the other side gets a reset, not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def frame(opcode: int, payload: bytes, *, is_masked: bool = True, is_final: bool = True) -> bytes:
    """A WebSocket frame of up to 125 bytes (RFC 6455, section 5.2); the mask is zero."""
    head = bytes([(0x80 if is_final else 0) | opcode, (0x80 if is_masked else 0) | len(payload)])
    return head + (b"\0\0\0\0" if is_masked else b"") + payload


@pytest.fixture
def witness(server: Server) -> Iterator[None]:
    """A well-behaved client beside the rude ones misses nothing, and afterwards nobody else is left."""
    said_before = len(server.output)
    with server.connect() as connection:
        before = json.loads(connection.recv(timeout=20))
        yield
        wait_until(lambda: server.health()["clients"] == 1, what="only the witness is connected")
        for _ in range(3):
            message = json.loads(connection.recv(timeout=20))
            assert message["previous"] == before["id"]
            before = message
    assert "Traceback" not in server.output[said_before:]


@pytest.mark.usefixtures("witness")
def test_connections_that_break_are_forgotten(server: Server) -> None:
    for _ in range(30):
        reset(open_stream(server))


@pytest.mark.usefixtures("witness")
def test_connections_that_break_in_the_handshake_are_forgotten(server: Server) -> None:
    for _ in range(30):
        connection = dial(server)
        connection.sendall(HANDSHAKE)
        reset(connection)
        connection = dial(server)
        connection.sendall(HANDSHAKE[:60])
        reset(connection)


@pytest.mark.usefixtures("witness")
@pytest.mark.parametrize(
    "said",
    [
        frame(1, b"not masked", is_masked=False),
        frame(3, b"no such opcode"),
        frame(0, b"goes on with nothing"),
        frame(9, b"a ping in pieces", is_final=False),
        frame(8, b"\x00\x01"),
        frame(8, struct.pack(">H", 4000) + b"bye"),
        b"\xff" * 300,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_nonsense_ends_its_own_connection_only(server: Server, said: bytes) -> None:
    """The server closes it, without being asked to and within 20 s; otherwise reading on raises TimeoutError."""
    with open_stream(server) as connection, suppress(ConnectionError):
        connection.sendall(said)
        while connection.recv(65536):
            pass


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_a_text_that_is_not_utf_8_is_closed_with_1007_and_no_traceback(start_server: StartServer, kind: str) -> None:
    """A traceback for every such message would let any stranger fill the log; `start_server` looks for one."""
    server = start_server(kind)
    with open_stream(server) as connection:
        connection.sendall(frame(1, b"\xff\xfe not UTF-8"))
        received = b""
        with suppress(ConnectionError):
            while part := connection.recv(65536):
                received += part
    assert struct.pack(">H", 1007) in received
    wait_until(lambda: server.health()["clients"] == 0)


HOST = b"Host: 127.0.0.1\r\n"
#: What made some server write a traceback, or a line each time: all over HTTP, or after the handshake of a WebSocket.
RUDE_REQUESTS = (
    b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"HEAD / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    b"GET /no/such/page HTTP/1.1\r\n" + HOST + b"\r\n",
    b"POST /account/login/ HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello",
    b"GET / HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"G\xc3\x89T /\xff HTTP/1.1\r\n" + HOST + b"\r\n",
    HANDSHAKE[:-2] + b"Sec-WebSocket-Protocol: \xff\xfe\r\n\r\n",
    HANDSHAKE.replace(b"/stream/live", b"/stream/live\xff"),
    HANDSHAKE.replace(HOST[:-2], b"Host: evil.example"),
)
RUDE_MESSAGES = (frame(1, b"\xff") + frame(8, b"\x03\xe8"), frame(1, b"\xff") + frame(9, b""))


@pytest.mark.usefixtures("witness")
def test_however_often_somebody_is_rude_it_is_one_line_of_each_kind(server: Server) -> None:
    """The `witness` looks for tracebacks; here, that the log does not grow with what is sent."""
    assert HOST[:-2] in HANDSHAKE
    before = len(server.output)
    for _ in range(20):
        for request in RUDE_REQUESTS:
            with dial(server) as connection, suppress(ConnectionError):
                connection.sendall(request)
                assert connection.recv(65536)
        for messages in RUDE_MESSAGES:
            with open_stream(server) as connection, suppress(ConnectionError):
                connection.sendall(messages)
                while connection.recv(65536):
                    pass
    lines = [line for line in server.output[before:].splitlines() if not re.search("Client (dis)?connected", line)]
    assert len(lines) <= len(RUDE_REQUESTS) + len(RUDE_MESSAGES), "\n".join(lines)
    assert "told once a minute" in server.output


@pytest.mark.usefixtures("witness")
def test_a_message_in_endless_pieces_is_ended(server: Server) -> None:
    with open_stream(server) as connection, suppress(ConnectionError):
        connection.sendall(frame(1, b"x" * 100, is_final=False))
        for _ in range(2000):
            connection.sendall(frame(0, b"x" * 100, is_final=False))
        while connection.recv(65536):
            pass


@pytest.mark.usefixtures("witness")
def test_small_messages_are_ignored_and_a_flood_of_them_is_cut_off(server: Server) -> None:
    with open_stream(server) as connection:
        connection.sendall(frame(1, b"hello") * 1000)
        received = b""
        while len(re.findall(rb'"timestamp"', received)) < 3:
            received += connection.recv(65536)
        with suppress(ConnectionError):
            connection.sendall(frame(1, b"hello") * 20_000)
            while connection.recv(65536):
                pass


@pytest.mark.usefixtures("witness")
def test_requests_without_an_upgrade_at_the_streams_address_get_an_http_answer(server: Server) -> None:
    status, _ = server.get("/stream/live")
    assert status in {404, 426}
    for request in (
        b"nonsense\r\n\r\n",
        b"GET /stream/live\r\n\r\n",
        HANDSHAKE.replace(b"Version: 13", b"Version: 99"),
    ):
        with dial(server) as connection:
            connection.sendall(request)
            assert connection.recv(65536).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 "))  # HTTP/0.9 is a request


def test_every_connection_is_logged_once_when_it_comes_and_once_when_it_goes(server: Server) -> None:
    wait_until(lambda: server.health()["clients"] == 0)
    came, went = (server.output.count(f"Client {word}") for word in ("connected", "disconnected"))
    for _ in range(5):
        reset(open_stream(server))
    with server.connect() as connection:
        connection.recv(timeout=20)
    wait_until(lambda: server.output.count("Client disconnected") == went + 6)
    assert server.output.count("Client connected") == came + 6
    counts = re.findall(r"Client (?:dis)?connected \((\d+) now\)", server.output)
    assert counts[-1] == "0"
