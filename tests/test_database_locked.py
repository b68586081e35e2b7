"""A database that another process has all to itself: not even reading works, and asking takes a minute.

A minute is longer than any patience below: whatever waited for the database would fail the test.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.admin_session import AdminSession
from tests.conftest import StartServer
from tests.processes import lock_exclusively, wait_until
from tests.test_database_failures import Witness


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_a_database_that_cannot_even_be_read_stops_nothing_and_delays_no_health(
    start_server: StartServer, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "db.sqlite3"
    server = start_server(kind, DATABASE_URL=f"sqlite:///{path}?timeout=60")
    AdminSession(server).click("Portfolio", "redis")
    witness = Witness(server)
    wait_until(lambda: witness.read(1) or witness.received[-1]["sources"]["portfolio"] == "redis")
    locked = put_locked_copy(path)
    wait_until(lambda: any("Database" in reason for reason in server.health()["reasons"]))
    for _ in range(3):
        report = server.health()
        assert report["status"] != "ok"
        assert report["checks"]["database"]["error"] == "no answer within 0.5 s"
        assert server.get("/stream/health/live")[0] == 200
    witness.read(15)
    assert witness.received[-1]["sources"]["portfolio"] == "redis"  # the last known choice, not the first
    assert len(server.receive(2)) == 2  # new connections are served
    locked.close()
    wait_until(lambda: not any("Database" in reason for reason in server.health()["reasons"]))
    witness.read(2)
    AdminSession(server).click("Portfolio", "mock")
    wait_until(lambda: witness.read(1) or witness.received[-1]["sources"]["portfolio"] == "mock")


def put_locked_copy(path: Path) -> sqlite3.Connection:
    """Put a copy of the file in its place that is locked already; closing the connection unlocks it.

    A file that others have open, as the dashboard always has, cannot be locked so that they may not even read.
    """
    copy = path.with_name("copy.sqlite3")
    with closing(sqlite3.connect(path, timeout=10)) as database, closing(sqlite3.connect(copy)) as backup:
        database.backup(backup)
    locked = lock_exclusively(copy)
    for name in (f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
    os.replace(copy, path)
    return locked
