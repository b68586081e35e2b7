"""A database that another process has all to itself: not even reading works, and asking takes a minute.

A minute is longer than any patience below: whatever waited for the database would fail the test. In SQLite's WAL mode
only who comes first can have the file like that: a process that is connected already can always read.
"""

from pathlib import Path

import pytest

from tests.admin_session import AdminSession
from tests.conftest import StartServer
from tests.processes import lock_exclusively, wait_until
from tests.test_database_failures import Witness, ids_in


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_a_database_that_cannot_even_be_read_stops_nothing_and_delays_no_health(
    start_server: StartServer, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "db.sqlite3"
    locked = lock_exclusively(path)
    server = start_server(kind, DATABASE_URL=f"sqlite:///{path}?timeout=60")
    witness = Witness(server)
    witness.read(2)
    wait_until(lambda: any("Database" in reason for reason in server.health()["reasons"]))
    for _ in range(3):
        report = server.health()
        assert report["status"] != "ok"
        assert report["checks"]["database"]["error"] == "no answer within 0.5 s"
        assert server.get("/stream/health/live")[0] == 200
    witness.read(15)
    assert len(server.receive(2)) == 2  # new connections are served
    assert witness.received[-1]["sources"] == {"system": "host", "ai": "mock", "portfolio": "mock"}  # as at the first
    locked.close()
    wait_until(lambda: witness.read(1) or not any("Database" in reason for reason in server.health()["reasons"]))
    wait_until(lambda: witness.read(1) or {*witness.ids[:-1]} <= {*ids_in(path)}, what="all is stored")
    AdminSession(server).click("Portfolio", "redis")
    wait_until(lambda: witness.read(1) or witness.received[-1]["sources"]["portfolio"] == "redis")
