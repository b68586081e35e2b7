"""Thousands of connections that close and open while snapshots go out: nobody gets a byte that was not for them."""

import contextlib
import json
import random
import re
import selectors
import socket
import struct
import time

import pytest

from tests.conftest import StartServer
from tests.processes import Server, wait_until

#: Connections at a time, and in all.
OPEN, TOTAL = 240, 3000
HANDSHAKE = (
    b"GET /stream/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
REQUEST = b"GET /stream/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
ACCEPTED = re.compile(rb"HTTP/1\.1 101 [^\r]*\r\n(?:[^\r]+\r\n)*\r\n")


class Guest:
    """Somebody of one `kind`: a stream's client, one who asks over HTTP, or one who says nothing at all."""

    def __init__(self, server: Server, kind: str) -> None:
        self.kind = kind
        self.received = b""
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.socket.setblocking(False)
        self.socket.send({"stream": HANDSHAKE, "http": REQUEST, "silent": b""}[kind])

    def read(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            self.received += self.socket.recv(1 << 16)

    def leave(self, *, roughly: bool) -> None:
        if roughly:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def judge(self) -> str | None:
        """What is wrong with what it received."""
        if self.kind == "silent":
            return f"something came: {self.received[:100]!r}" if self.received else None
        if self.kind == "http":
            is_answer = self.received[:12] in {b"", b"HTTP/1.1 200"} and b"\x81" not in self.received
            return None if is_answer else f"no answer: {self.received[:300]!r}"
        head = ACCEPTED.match(self.received)
        if head is None:
            return f"no answer first: {self.received[:100]!r}" if self.received else None
        rest = self.received[head.end() :]
        previous = None
        while len(rest) >= 4 and len(rest) >= (end := 4 + int.from_bytes(rest[2:4], "big")):
            if rest[:2] != b"\x81\x7e":
                return f"no snapshot's frame: {rest[:50]!r}"
            message, rest = json.loads(rest[4:end]), rest[end:]
            if previous is not None and message["previous"] != previous:
                return f"{message['id']} follows {message['previous']}, after {previous}"
            previous = message["id"]
        return None


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_nobody_gets_a_byte_that_was_not_meant_for_them(start_server: StartServer, kind: str) -> None:
    server = start_server(kind, STREAM_INTERVAL="0.05", LOG_LEVEL="WARNING", CONNECTIONS_PER_ADDRESS="0")
    dice, guests, complaints = random.Random(1), [], []
    streams = 0
    with selectors.DefaultSelector() as selector:
        for number in range(TOTAL):
            guest = Guest(server, dice.choice(["stream", "stream", "stream", "http", "silent"]))
            streams += guest.kind == "stream"
            guests.append(guest)
            selector.register(guest.socket, selectors.EVENT_READ, guest)
            for key, _ in selector.select(0):
                key.data.read()
            if len(guests) >= OPEN:
                gone = guests.pop(dice.randrange(len(guests)))
                selector.unregister(gone.socket)
                gone.leave(roughly=dice.random() < 0.5)
                complaints += [one] if (one := gone.judge()) else []
            if number % OPEN == 0:  # everybody settles now and then, as those do who stay for days
                time.sleep(0.1)
    for guest in guests:
        guest.read()
        guest.leave(roughly=True)
        complaints += [one] if (one := guest.judge()) else []
    assert complaints == []
    assert streams > TOTAL / 2
    wait_until(lambda: server.health()["clients"] == 0)
