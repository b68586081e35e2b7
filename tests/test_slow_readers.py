"""HTTP clients that do not read long answers: nothing grows, nothing is held for them, and their time ends."""

import asyncio
import functools
import json
import logging
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import daphne.server
import pytest

from streaming.servers import daphne_responses
from streaming.web.slow_readers import SlowReaders
from tests.conftest import StartServer
from tests.filled_history import STORED, fill_history
from tests.processes import Server, wait_until
from tests.test_database_locked import put_locked_copy
from tests.test_slow_clients import resident_kib

SERVERS = pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
#: About 8 MB, more than the kernel's own buffers hold for one connection.
EVERYTHING = "/stream/history?from=0"


@contextmanager
def stuck_reader(server: Server, path: str = EVERYTHING) -> Iterator[socket.socket]:
    """A connection that asks for everything and reads nothing, through a receive buffer of 4 KiB."""
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", server.port))
        reader.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        reader.settimeout(20)
        assert reader.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        yield reader


def read_to_end(reader: socket.socket) -> bytes:
    """All that comes until the connection ends, one way or the other."""
    parts = []
    try:
        while part := reader.recv(1 << 20):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.fixture(scope="module")
def full_database(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Path:
    """A database with STORED snapshots, to copy."""
    folder = tmp_path_factory.mktemp("full")
    shutil.copy(prepared_database, folder)
    fill_history(Server(folder).environment)
    return folder / prepared_database.name


@pytest.fixture
def start_full(start_server: StartServer, full_database: Path, tmp_path: Path) -> StartServer:
    """Starts a server with STORED snapshots that no publisher adds to."""
    shutil.copy(full_database, tmp_path)
    return functools.partial(start_server, STREAM_PUBLISHER="false", STREAM_REPLAY="10")


@SERVERS
def test_readers_that_are_stuck_take_no_memory_and_are_disconnected_in_time(start_full: StartServer, kind: str) -> None:
    server = start_full(kind, STREAM_SEND_TIMEOUT="4", HISTORY_EXPORTS="10")
    assert server.get("/stream/history?points=400")[0] == 200
    start_kib = resident_kib(server)
    with ExitStack() as stack:
        readers = [stack.enter_context(stuck_reader(server)) for _ in range(10)]
        wait_until(lambda: server.output.count("took nothing of /stream/history") == 10, 40)
        # 10 readers were behind by 8 MB each. What the server held is some pages of each, while it read them.
        assert resident_kib(server) - start_kib < 60_000
        assert b'"snapshots"' in read_to_end(readers[0])  # the kernel's part of it
    status, answer = server.get(EVERYTHING)
    assert status == 200
    assert len(json.loads(answer)["snapshots"]) == STORED


@SERVERS
def test_a_reader_that_goes_on_gets_everything(start_full: StartServer, tmp_path: Path, kind: str) -> None:
    server = start_full(kind, HISTORY_EXPORTS="1")
    with stuck_reader(server, f"{EVERYTHING}&format=csv") as reader:
        wait_until(lambda: server.get(EVERYTHING)[0] == 503)
        assert read_to_end(reader).count(b",mock,mock,") == STORED
    assert len(json.loads(server.get(EVERYTHING)[1])["snapshots"]) == STORED


@SERVERS
def test_an_answer_that_breaks_off_is_seen_to_and_the_server_goes_on(
    start_full: StartServer, tmp_path: Path, kind: str
) -> None:
    server = start_full(kind, HISTORY_EXPORTS="1")
    with stuck_reader(server) as reader:
        wait_until(lambda: server.get(EVERYTHING)[0] == 503)
        lock = put_locked_copy(tmp_path / "db.sqlite3")
        answer = read_to_end(reader)
        lock.close()
    assert not answer.endswith(b"0\r\n\r\n")  # not the end of a whole one
    server.said("database is locked")
    for _ in range(3):
        assert len(json.loads(server.get(EVERYTHING)[1])["snapshots"]) == STORED
    server.kill()  # its log has the traceback, which no other test may have


@pytest.mark.parametrize("is_summary", [False, True])
def test_a_log_of_sqlite_can_be_checkpointed_while_a_reader_is_stuck(
    start_full: StartServer, tmp_path: Path, is_summary: bool
) -> None:
    server = start_full("uvicorn", HISTORY_EXPORTS="1")
    database = sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None, timeout=0)
    (newest_ms,) = database.execute("SELECT max(time_ms) FROM metrics_snapshotrecord").fetchone()
    summary = f"/stream/history?from={newest_ms / 1000 - 199}&to={newest_ms / 1000}&step=0.04"  # 5 MB
    with stuck_reader(server, summary if is_summary else EVERYTHING):
        database.execute("DELETE FROM metrics_sourceswitch")
        wait_until(lambda: database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
        assert server.get(EVERYTHING)[0] == 503  # the reader is not through
    database.close()


# --- the wrapper by itself ---


async def respond(application: Any, send: Any, patience_s: float = 0.05) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    await SlowReaders(application, patience_s)({"type": "http", "path": "/", "client": None}, receive, send)


def test_an_error_before_the_response_is_the_server_s_to_answer() -> None:
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("early")

    async def send(message: Any) -> None: ...

    with pytest.raises(ValueError, match="early"):
        asyncio.run(respond(fail, send))


def test_an_unexpected_daphne_is_warned_about_once_and_used_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[str] = []

    class OtherServer(daphne.server.Server):  # type: ignore[misc]
        async def handle_reply(self, protocol: object, message: dict[str, Any]) -> None:
            sent.append(message["type"])

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body"})

    server = OtherServer(application=None, endpoints=["tcp:0"])
    daphne_responses.warn_once.cache_clear()
    with caplog.at_level(logging.WARNING, "streaming"):
        for _ in range(2):
            asyncio.run(respond(answer, functools.partial(server.handle_reply, object())))
    assert len(sent) == 6
    assert caplog.text.count("not as expected") == 1
