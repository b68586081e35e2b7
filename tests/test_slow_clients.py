"""Clients that do not read, on real sockets with tiny buffers: nobody waits for them, nothing grows without bound."""

import itertools
import json
import re
import shutil
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartServer
from tests.filled_history import STORED, fill_history
from tests.processes import Server, wait_until

HANDSHAKE = (
    b"GET /stream/live?since=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
WHOLE_SNAPSHOT = re.compile(rb'\{"timestamp".*?"observed":\{[^}]*\}(?:,"missed":\{[^}]*\})?\}')


@pytest.fixture(scope="module")
def filled_database(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Path:
    """A database with STORED snapshots, one every 10 ms until a moment ago; to copy."""
    path = Path(shutil.copy(prepared_database, tmp_path_factory.mktemp("filled")))
    fill_history({**Server(path.parent).environment, "DATABASE_URL": f"sqlite:///{path}"})
    return path


@pytest.fixture
def start_with_history(start_server: StartServer, tmp_path: Path, filled_database: Path) -> StartServer:
    """Starts a server that can be resumed from STORED snapshots ago, and waits until it has recalled them."""

    def start(kind: str = "daphne", **environment: str) -> Server:
        shutil.copy(filled_database, tmp_path / "filled.sqlite3")
        url = f"sqlite:///{tmp_path / 'filled.sqlite3'}"
        server = start_server(kind, DATABASE_URL=url, STREAM_REPLAY=str(STORED), STREAM_INTERVAL="0.2", **environment)
        wait_for_history(server)
        return server

    return start


def wait_for_history(server: Server) -> None:
    """Wait until the server has recalled what it can be resumed from."""
    wait_until(lambda: server.receive(1, "?since=0")[0]["timestamp"] < time.time() - STORED / 100, 40)


class StuckClient:
    """A raw connection that asks for everything and reads nothing, through a receive buffer of 4 KiB."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", server.port))
        self.socket.sendall(HANDSHAKE)

    def read_to_end(self) -> bytes:
        """Everything until the server closes or 3 s bring nothing."""
        self.socket.settimeout(3)
        parts = []
        try:
            while part := self.socket.recv(1 << 20):
                parts.append(part)
        except OSError:
            pass
        return b"".join(parts)

    def read_until_newest(self, timestamp: float) -> bytes:
        """Everything until a snapshot newer than `timestamp` came, whole."""
        self.socket.settimeout(20)
        received = b""
        while not any(json.loads(text)["timestamp"] > timestamp for text in WHOLE_SNAPSHOT.findall(received[-4000:])):
            part = self.socket.recv(1 << 20)
            assert part, "closed"
            received += part
        return received


def resident_kib(server: Server) -> int:
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]


def assert_whole_chain(received: bytes) -> list[dict[str, Any]]:
    """Every snapshot in `received` continues the one before it."""
    messages = [json.loads(text) for text in WHOLE_SNAPSHOT.findall(received)]
    for before, after in itertools.pairwise(messages):
        assert after["previous"] == before["id"]
    return messages


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_stuck_clients_delay_nobody_take_bounded_memory_and_are_closed(
    start_with_history: StartServer, kind: str
) -> None:
    server = start_with_history(kind, STREAM_SEND_TIMEOUT="4")
    with ExitStack() as stack:
        reader = stack.enter_context(server.connect())
        before = json.loads(reader.recv(timeout=10))
        stuck = [StuckClient(server) for _ in range(20)]
        wait_until(lambda: server.health()["clients"] == 21)
        start_kib = resident_kib(server)
        received_before_any_was_given_up = 0
        while (given_up := server.health()["stream"]["stuck"]) < 20:
            message = json.loads(reader.recv(timeout=20))
            assert message["previous"] == before["id"]
            before = message
            received_before_any_was_given_up += not given_up
        # Had the stream waited for a client that takes nothing, nothing would have come until that was given up.
        assert received_before_any_was_given_up >= 5
        # 20 clients were behind by 8 MB each. What the server held for them is some 64 KiB each.
        assert resident_kib(server) - start_kib < 20_000
        wait_until(lambda: server.health()["clients"] == 1)
        wait_until(lambda: server.output.count("Client disconnected") == server.output.count("Client connected") - 1)
        assert server.health()["stream"]["stuck"] == 20
        assert server.output.count("closed (1013)") == 1  # not a line for each
        assert_whole_chain(stuck[0].read_to_end())


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_a_client_that_reads_again_gets_everything_up_to_the_newest(start_with_history: StartServer, kind: str) -> None:
    server = start_with_history(kind)
    stuck = StuckClient(server)
    wait_until(lambda: server.health()["ticks"]["published"] > 10)
    newest = server.health()["timestamp"]
    messages = assert_whole_chain(stuck.read_until_newest(newest))
    assert len(messages) > STORED - 100
    assert messages[-1]["timestamp"] > newest
