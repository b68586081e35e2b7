"""The same as tests/test_keeping.py, for PostgreSQL, with its own programs."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import StartServer
from tests.postgresql import Postgresql
from tests.processes import wait_until
from tests.test_keeping import done, manage_for, refused

HEAD = "SELECT coalesce(max(id), 0) FROM metrics_snapshotrecord"


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Postgresql]:
    """One for all tests here, each in a database of its own."""
    server = Postgresql().start()
    yield server
    server.remove()


def create(postgresql: Postgresql, name: str) -> str:
    """The DATABASE_URL of a new database."""
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return postgresql.url.removesuffix("postgres") + name


def ask(url: str, statement: str) -> int:
    with psycopg.connect(url) as connection:
        return int((connection.execute(statement.encode()).fetchone() or (0,))[0])


def test_a_backup_is_made_while_it_runs_and_restored_elsewhere_it_forks_nothing_unsaid(
    tmp_path: Path, postgresql: Postgresql, start_server: StartServer
) -> None:
    url, file = create(postgresql, "one"), tmp_path / "file.backup"
    journal = {"STREAM_JOURNAL": str(tmp_path / "journal")}
    server = start_server("uvicorn", DATABASE_URL=url, **journal)
    wait_until(lambda: ask(url, "SELECT count(*) FROM pg_tables WHERE tablename = 'metrics_note'"))
    wait_until(lambda: ask(url, HEAD))
    said = done(manage_for(server, "backup", str(file)))
    assert "each follows the one before it" in said
    assert file.stat().st_mode & 0o777 == 0o600
    last = server.receive(3)[-1]["id"]
    assert "others are connected" in refused(
        manage_for(server, "restore", str(file), "--replace", STREAM_JOURNAL=str(tmp_path / "none"))
    )
    found = json.loads(manage_for(server, "doctor", "--json").stdout)
    assert [finding for finding in found if not finding["ok"]] == []
    assert {"disk", "vacuum", "database's clock"} <= {finding["subject"] for finding in found}
    assert server.stop() == 0

    done(manage_for(server, "restore", str(file), "--replace"))
    assert 0 < ask(url, HEAD) < last
    # Nobody knows there what came after the backup.
    elsewhere = {"DATABASE_URL": create(postgresql, "two"), "STREAM_JOURNAL": str(tmp_path / "elsewhere")}
    assert "Nobody here knows" in done(manage_for(server, "restore", str(file), **elsewhere))
    assert ask(elsewhere["DATABASE_URL"], "SELECT count(*) FROM auth_user") == 1
    other = start_server("uvicorn", **elsewhere)
    ahead = other.receive(1, f"?since={last}")[0]
    assert ahead["missed"] == {"after": last, "before": ahead["id"]}
    assert ahead["id"] > last

    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert "is damaged" in refused(
        manage_for(server, "restore", str(file), DATABASE_URL=create(postgresql, "three"), **journal)
    )
