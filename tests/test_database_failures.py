"""The database may fail; the stream does not."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartServer
from tests.processes import Server, wait_until


def database_of(server: Server) -> Path:
    return Path(server.environment["DATABASE_URL"].removeprefix("sqlite:///").partition("?")[0])


def times_in(path: Path) -> list[int]:
    with sqlite3.connect(path, timeout=10) as database:
        return [row[0] for row in database.execute("SELECT time_ms FROM metrics_snapshotrecord ORDER BY time_ms")]


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
    def times(self) -> list[int]:
        return [round(message["timestamp"] * 1000) for message in self.received]


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
    report = server.health()
    assert report["status"] == "degraded"
    assert any(re.search(r"History: \d+ snapshots wait .*locked", reason) for reason in report["reasons"])
    database.execute("ROLLBACK")
    database.close()
    wait_until(lambda: server.health()["status"] == "ok")
    witness.read(5)
    wait_until(lambda: set(witness.times) <= set(times_in(database_of(server))))
    assert server.health()["history"]["given_up"] == 0
    assert server.output.count("The database takes no history") == 1
    assert server.output.count("The database takes history again") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which can be made read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_turns_read_only_is_told_and_survived(start_server: StartServer, small_disk: Path) -> None:
    server = start_server(DATABASE_URL=f"sqlite:///{small_disk / 'db.sqlite3'}")
    witness = Witness(server)
    witness.read(5)
    # No process may have a file open for writing at that moment; between two writes none has.
    wait_until(
        lambda: (
            subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], capture_output=True, check=False).returncode
            == 0
        ),
        what="remount read-only",
    )
    wait_until(lambda: server.health()["status"] == "degraded")
    witness.read(10)
    assert any(
        "readonly" in reason or "read-only" in reason or "unable" in reason for reason in server.health()["reasons"]
    )
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    wait_until(lambda: server.health()["status"] == "ok")
    witness.read(5)
    wait_until(lambda: set(witness.times) <= set(times_in(database_of(server))))


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
    wait_until(lambda: set(witness.times) <= set(times_in(path)))
