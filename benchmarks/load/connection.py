"""One WebSocket client: as little as it takes to shake hands, tell frames apart and answer pings (RFC 6455)."""

import socket
import struct
from typing import NamedTuple

#: Addresses that clients connect from, in turn: each has some 28,000 ports of its own, and nginx lets in 200 of each.
SOURCES = [f"127.0.0.{number}" for number in range(2, 102)]
#: From Linux's <netinet/in.h>: choose the port when connecting, not when binding.
IP_BIND_ADDRESS_NO_PORT = 24

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


class Frame(NamedTuple):
    """One frame from a server. `raw` is all of it, header included."""

    opcode: int
    payload: bytes
    raw: bytes


class Connection:
    """A client's socket and what it has received. `last`: id of its last snapshot."""

    __slots__ = ("began", "fd", "is_open", "last", "receive", "rest", "socket")

    def __init__(self, number: int, port: int, began: float) -> None:
        """Begin to connect to 127.0.0.1:`port` at `began` (monotonic seconds); raises OSError."""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            self.socket.bind((SOURCES[number % len(SOURCES)], 0))
            self.socket.connect_ex(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self.fd = self.socket.fileno()
        self.receive = self.socket.recv
        self.rest = b""
        self.began = began
        self.is_open = False
        self.last: int | None = None

    def take_handshake(self, data: bytes) -> bool:
        """Add `data` to the server's answer; True once that is complete. Raises ConnectionError where it is no 101."""
        self.rest += data
        head, separator, rest = self.rest.partition(b"\r\n\r\n")
        if not separator:
            return False
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head.partition(b"\r\n")[0].decode("latin-1"))
        self.rest = rest
        self.is_open = True
        return True

    def take(self, data: bytes) -> list[Frame]:
        """Add `data` to what is left from before and return the frames that are complete; pings are answered."""
        frames, self.rest = split_frames(self.rest + data)
        for frame in frames:
            if frame.opcode == PING:
                self.socket.send(make_pong(frame.payload))
        return frames


def make_request(port: int, path: str) -> bytes:
    """The client's half of the handshake. No compression is offered, no Origin sent: a program, not a browser."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def split_frames(data: bytes) -> tuple[list[Frame], bytes]:
    """Split `data` into complete frames and the rest of it."""
    frames = []
    start = 0
    while len(data) - start >= 2:
        length, head = data[start + 1], 2
        if length == 126:
            head = 4
        elif length == 127:
            head = 10
        if len(data) - start < head:
            break
        if head > 2:
            length = int.from_bytes(data[start + 2 : start + head], "big")
        end = start + head + length
        if end > len(data):
            break
        frames.append(Frame(data[start] & 0x0F, data[start + head : end], data[start:end]))
        start = end
    return frames, data[start:]


def make_pong(payload: bytes) -> bytes:
    """A pong with the ping's `payload` (at most 125 bytes), masked with zeros as far as RFC 6455 wants a mask."""
    return struct.pack("!BBI", 0x80 | PONG, 0x80 | len(payload), 0) + payload
