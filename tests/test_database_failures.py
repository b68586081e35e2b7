"""The database may fail; the stream does not."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartServer
from tests.processes import Server, wait_until


def database_of(server: Server) -> Path:
    return Path(server.environment["DATABASE_URL"].removeprefix("sqlite:///").partition("?")[0])


def ids_in(path: Path) -> list[int]:
    with closing(sqlite3.connect(path, timeout=10)) as database:
        return [row[0] for row in database.execute("SELECT id FROM metrics_snapshotrecord ORDER BY id")]


def remount(folder: Path, options: str) -> bool:
    """Mount what is at `folder` with other options; False where that is refused."""
    command = ["mount", "-o", f"remount,{options}", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Witness:
    """A client that is connected all the time and must never miss a snapshot."""

    def __init__(self, server: Server) -> None:
        self._stack = ExitStack()
        self.connection = self._stack.enter_context(server.connect())
        self.received: list[dict[str, Any]] = []

    def read(self, count: int) -> None:
        for _ in range(count):
            message = json.loads(self.connection.recv(timeout=20))
            assert not self.received or message["previous"] == self.received[-1]["id"]
            self.received.append(message)

    @property
    def ids(self) -> list[int]:
        return [message["id"] for message in self.received]


def test_a_database_that_refuses_to_be_written_again_and_again_costs_nothing(
    start_server: StartServer, tmp_path: Path
) -> None:
    """A write is refused after a second and tried again after another: while 100 snapshots come, twice at least."""
    server = start_server(STREAM_INTERVAL="0.05", DATABASE_URL=f"sqlite:///{tmp_path / 'db.sqlite3'}?timeout=1")
    witness = Witness(server)
    witness.read(5)
    database = sqlite3.connect(database_of(server), isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    wait_until(lambda: witness.read(5) or server.health()["history"]["waiting"] > 100, 60)
    wait_until(lambda: server.health()["status"] == "degraded")  # not down, but for moments of a busy machine
    reasons = server.health()["reasons"]
    assert any(re.search(r"History: \d+ snapshots wait .*locked", reason) for reason in reasons)
    database.execute("ROLLBACK")
    database.close()
    wait_until(lambda: server.health()["status"] == "ok")
    witness.read(5)
    wait_until(lambda: set(witness.ids) <= set(ids_in(database_of(server))))
    assert server.health()["history"]["given_up"] == 0
    assert server.output.count("The database takes no history") == 1
    assert server.output.count("The database takes history again") == 1


def test_a_database_that_is_gone_leaves_the_last_choice_and_comes_back(start_server: StartServer) -> None:
    server = start_server()
    witness = Witness(server)
    witness.read(5)
    path = database_of(server)
    away = path.with_name("away")
    away.mkdir()
    for file in path.parent.glob("db.sqlite3*"):
        shutil.move(file, away / file.name)
    path.mkdir()  # nothing can be created in its place
    wait_until(lambda: server.health()["status"] == "degraded")
    witness.read(10)
    assert witness.received[-1]["sources"] == {"system": "host", "ai": "mock", "portfolio": "mock"}
    path.rmdir()
    for file in path.parent.glob("db.sqlite3*"):
        os.remove(file)
    for file in away.iterdir():
        shutil.move(file, path.parent / file.name)
    wait_until(lambda: server.health()["status"] == "ok")
    witness.read(5)
    wait_until(lambda: set(witness.ids) <= set(ids_in(path)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_what_the_database_had_not_taken_when_a_server_ended_is_stored_by_the_next_one(
    start_server: StartServer, kind: str, number: signal.Signals
) -> None:
    server = start_server(kind)
    witness = Witness(server)
    witness.read(5)
    path = database_of(server)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as locking:
        locking.execute("BEGIN IMMEDIATE")
        witness.read(20)
        server.send(number)
        server.wait()
    received = witness.ids
    next_one = start_server(kind)
    wait_until(lambda: set(received) <= set(ids_in(path)))
    resumed = next_one.receive(25, f"?since={received[0]}")
    assert [message["id"] for message in resumed[:24]] == received[1:25]
    assert all(after["previous"] == before["id"] for before, after in pairwise(resumed))
    assert not list(path.parent.glob("*-unstored/*")) or next_one.health()["history"]["waiting"] < 3
