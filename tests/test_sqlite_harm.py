"""An SQLite file that comes to harm: said precisely, with what to do; nothing is lost; it recovers by itself."""

import asyncio
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from metrics.history import writer as writing
from metrics.history.store import DatabaseStore
from metrics.history.writer import HistoryWriter
from tests.conftest import StartServer
from tests.processes import wait_until
from tests.test_database_failures import Witness, database_of, ids_in, remount
from tests.test_history import START, make_snapshot


class Harm:
    """A writer that writes into a file, which the test harms and heals, in a loop of its own thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.added: list[int] = []
        self.number = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.writer = self.call(self._begin())

    async def _begin(self) -> HistoryWriter:
        writer = HistoryWriter(DatabaseStore(), retention_s=1e9)
        self.running = asyncio.create_task(writer.run())
        return writer

    def call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def add(self, count: int = 3) -> None:
        async def work() -> None:
            for _ in range(count):
                self.number += 1
                snapshot = make_snapshot(START + self.number)
                self.added.append(snapshot.id)
                self.writer.add(snapshot, snapshot.to_encoded(1))

        self.call(work())

    def said(self, *parts: str) -> str:
        """Add snapshots until the writer's error has all `parts`, and return it."""

        def look() -> str:
            self.add(1)
            return self.writer.error if all(part in self.writer.error for part in parts) else ""

        return wait_until(look, what=f"{parts} in the writer's error")

    def is_written(self) -> None:
        """Wait until everything that was added is in the file."""
        self.add()
        wait_until(lambda: not self.writer.waiting and not self.writer.error, what="all is written")
        assert ids_in(self.path) == self.added
        assert (self.writer.given_up, self.writer.refused) == (0, 0)

    def close(self) -> None:
        async def work() -> None:
            self.running.cancel()
            await asyncio.wait([self.running])
            await self.writer.aclose()

        self.call(work())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


Begin = Callable[[Path], Harm]


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch, prepared_database: Path, transactional_db: None) -> Iterator[Begin]:
    """Begins to write into a new database at a path."""
    monkeypatch.setattr(writing, "RETRY_S", 0.02)
    begun: list[Harm] = []

    def at(path: Path) -> Harm:
        shutil.copy(prepared_database, path)
        options = {"timeout": 1, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"}
        database = {**connections.settings["default"], "NAME": str(path), "OPTIONS": options}
        monkeypatch.setitem(connections.settings, "default", database)
        begun.append(Harm(path))
        begun[-1].is_written()
        return begun[-1]

    yield at
    for harm in begun:
        harm.close()


def move(path: Path, to: Path) -> None:
    """Move a database with what belongs to it."""
    to.mkdir(exist_ok=True)
    for file in path.parent.glob(f"{path.name}*"):
        shutil.move(file, to / file.name)


def test_a_file_that_is_gone_is_not_created_anew_and_is_written_when_it_is_back(begin: Begin, tmp_path: Path) -> None:
    harm = begin(tmp_path / "a.sqlite3")
    move(harm.path, tmp_path / "away")
    assert str(harm.path) in harm.said("is not there", "bring the file back")
    assert not harm.path.exists()
    move(tmp_path / "away" / harm.path.name, tmp_path)
    harm.is_written()


def test_a_file_in_place_of_which_there_is_another_one_is_opened_anew(
    begin: Begin, tmp_path: Path, prepared_database: Path
) -> None:
    """The old one, which nobody sees any more, gets nothing; an empty one has not got the tables."""
    harm = begin(tmp_path / "a.sqlite3")
    move(harm.path, tmp_path / "away")
    sqlite3.connect(harm.path).close()
    harm.path.touch()
    harm.said("no such table", "run `manage.py migrate`")
    harm.added = harm.added[3:]  # these are in the old file
    shutil.copy(prepared_database, tmp_path / "new")
    os.replace(tmp_path / "new", harm.path)
    harm.is_written()


def test_a_file_that_is_damaged_is_told_and_a_backup_in_its_place_is_taken(begin: Begin, tmp_path: Path) -> None:
    harm = begin(tmp_path / "a.sqlite3")
    with closing(sqlite3.connect(harm.path)) as database, closing(sqlite3.connect(tmp_path / "backup")) as backup:
        database.backup(backup)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with harm.path.open("r+b") as file:
        file.write(b"x" * 4096)
    harm.said("file is not a database", "put a backup in its place")
    for path in tmp_path.glob("a.sqlite3*"):
        path.unlink()
    os.replace(tmp_path / "backup", harm.path)
    harm.is_written()


def test_a_file_that_is_locked_is_told(begin: Begin, tmp_path: Path) -> None:
    harm = begin(tmp_path / "a.sqlite3")
    with closing(sqlite3.connect(harm.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        harm.said("database is locked", "another process")
        other.execute("ROLLBACK")
    harm.is_written()


def test_a_folder_in_its_place_is_told(begin: Begin, tmp_path: Path) -> None:
    harm = begin(tmp_path / "a.sqlite3")
    move(harm.path, tmp_path / "away")
    harm.path.mkdir()
    harm.said("is a folder")
    harm.path.rmdir()
    move(tmp_path / "away" / harm.path.name, tmp_path)
    harm.is_written()


def test_a_disk_that_is_full_is_told(begin: Begin, small_disk: Path) -> None:
    harm = begin(small_disk / "a.sqlite3")
    used = sum(file.stat().st_size for file in small_disk.iterdir())
    size = f"size={(used + 8192) // 1024}k"
    assert remount(small_disk, size)
    harm.add(300)
    harm.said("is full", "MB are free on its disk")
    assert remount(small_disk, "size=100m")
    harm.is_written()


def test_a_disk_that_turns_read_only_is_told(begin: Begin, small_disk: Path, tmp_path: Path) -> None:
    """Through a link: no process may have a file open for writing when its disk is made read-only."""
    link, real = tmp_path / "a.sqlite3", small_disk / "a.sqlite3"
    link.symlink_to(real)
    harm = begin(link)
    link.unlink()
    harm.said("is not there")
    wait_until(lambda: remount(small_disk, "ro"), what="remounted read-only")
    link.symlink_to(real)
    harm.said("its file system is read-only")
    assert remount(small_disk, "rw")
    harm.is_written()


# --- the whole server ---


def overwrite(path: Path, away: Path) -> None:
    """Damage the file, keeping what it was."""
    with closing(sqlite3.connect(path, timeout=10)) as database, closing(sqlite3.connect(away / path.name)) as backup:
        database.backup(backup)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.write(b"x" * 4096)


@pytest.mark.parametrize(
    ("do_harm", "reason"), [(move, "is not there"), (overwrite, "damaged")], ids=["deleted", "damaged"]
)
@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_a_server_streams_on_says_what_is_wrong_and_stores_what_was_published_meanwhile(
    start_server: StartServer, tmp_path: Path, kind: str, do_harm: Callable[[Path, Path], None], reason: str
) -> None:
    server = start_server(kind)
    witness = Witness(server)
    witness.read(5)
    path, away = database_of(server), tmp_path / "away"
    away.mkdir()
    wait_until(lambda: set(witness.ids) <= set(ids_in(path)))
    do_harm(path, away)
    harmed_at = len(witness.received)
    wait_until(lambda: witness.read(1) or any(reason in text for text in server.health()["reasons"]))
    witness.read(5)
    assert server.health()["status"] == "degraded"
    for file in tmp_path.glob(f"{path.name}*"):
        if file.is_file():
            file.unlink()
    for file in away.iterdir():
        shutil.move(file, tmp_path / file.name)
    wait_until(lambda: witness.read(1) or server.health()["status"] == "ok")
    witness.read(2)
    missing = {*witness.ids} - {*ids_in(path)}
    wait_until(lambda: {*witness.ids} - {*ids_in(path)} <= {*witness.ids[harmed_at - 3 : harmed_at + 3]})
    assert len(missing) <= 6  # what was stored between the copy and the harm is where the harm is
