"""The same as tests/test_keeping.py, for PostgreSQL, with its own programs."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from metrics.history.journal import Journal
from metrics.snapshot import EncodedSnapshot
from streaming.keeping import sqlite_copies
from streaming.keeping.keeping_error import KeepingError
from streaming.keeping.moving import TARGET, copy_database
from streaming.keeping.postgresql_dump import read_dump
from streaming.keeping.tables import Row, Table
from tests.conftest import StartServer
from tests.postgresql import Postgresql
from tests.processes import wait_until
from tests.test_keeping import done, manage_for, refused, touched

HEAD = "SELECT coalesce(max(id), 0) FROM metrics_snapshotrecord"


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Postgresql]:
    """One for all tests here, each in a database of its own."""
    server = Postgresql().start()
    yield server
    server.remove()


@pytest.fixture
def databases_allowed(django_db_blocker: Any) -> Iterator[None]:
    """In this process, too: the two of `copy_database` are named by the test."""
    with django_db_blocker.unblock():
        yield


def create(postgresql: Postgresql, name: str, like: str = "template1") -> str:
    """The DATABASE_URL of a new database, a copy of another one."""
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}".encode())
    return postgresql.url.removesuffix("postgres") + name


def ask(url: str, statement: str) -> int:
    with psycopg.connect(url) as connection:
        return int((connection.execute(statement.encode()).fetchone() or (0,))[0])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Path:
    """An SQLite database with a token and a thousand snapshots."""
    source = tmp_path_factory.mktemp("source") / "db.sqlite3"
    sqlite_copies.copy(prepared_database, touched(source))
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute(
            "INSERT INTO access_accesstoken (id, name, scopes, digest, begins_with, created_at, owner_id) VALUES "
            """(7, 'Grafana – ü', '["stream", "history"]', 'd', 'b', '2026-11-29 01:02:03.000004', 1)"""
        )
        connection.executemany(
            "INSERT INTO metrics_snapshotrecord (id, time_ms, previous, term, interval_s, problem_count, problems, "
            "observed, stand_ins, cpu, latency, regime) VALUES (?, ?, ?, 3, 0.1, 0, '{}', '{}', '', ?, ?, 'bull')",
            [(n, n, n - 1, n / 7, None if n % 3 else n) for n in range(1, 1001)],
        )
    return source


@pytest.fixture(scope="module")
def moved(postgresql: Postgresql, source: Path, django_db_blocker: Any) -> tuple[str, list[str]]:
    """The DATABASE_URL of the PostgreSQL that it was copied to, and what was said."""
    said: list[str] = []
    url = create(postgresql, "moved")
    with django_db_blocker.unblock():
        copy_database(f"sqlite:///{source}", url, said.append)
    return url, said


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("moved")
def test_a_backup_is_made_while_it_runs_and_restored_elsewhere_it_forks_nothing_unsaid(
    tmp_path: Path, postgresql: Postgresql, start_server: StartServer
) -> None:
    url, file = create(postgresql, "one", like="moved"), tmp_path / "file.backup"
    server = start_server("uvicorn", DATABASE_URL=url, STREAM_JOURNAL=str(tmp_path / "journal"))
    wait_until(lambda: ask(url, HEAD))
    assert "each follows the one before it" in done(manage_for(server, "backup", str(file)))
    assert file.stat().st_mode & 0o777 == 0o600
    last = server.receive(3)[-1]["id"]
    journal = {"STREAM_JOURNAL": str(tmp_path / "elsewhere")}
    assert "others are connected" in refused(manage_for(server, "restore", str(file), "--replace", **journal))
    found = json.loads(manage_for(server, "doctor", "--json").stdout)
    assert [finding for finding in found if not finding["ok"]] == []
    assert {"disk", "vacuum", "database's clock"} <= {finding["subject"] for finding in found}
    assert server.stop() == 0

    # Nobody knows there what came after the backup.
    elsewhere = {"DATABASE_URL": create(postgresql, "two", like="moved"), **journal}
    ask(elsewhere["DATABASE_URL"], "DELETE FROM access_accesstoken RETURNING id")
    assert "Nobody here knows" in done(manage_for(server, "restore", str(file), "--replace", **elsewhere))
    assert ask(elsewhere["DATABASE_URL"], "SELECT id FROM access_accesstoken") == 7
    assert ask(elsewhere["DATABASE_URL"], "SELECT nextval(pg_get_serial_sequence('auth_user', 'id'))") == 2
    other = start_server("uvicorn", **elsewhere)
    ahead = other.receive(1, f"?since={last}")[0]
    assert ahead["missed"] == {"after": last, "before": ahead["id"]}
    assert ahead["id"] > last

    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(KeepingError, match="is damaged"):
        read_dump(file)


@pytest.mark.usefixtures("databases_allowed")
def test_everything_moves_from_sqlite_to_postgresql_and_is_compared(
    postgresql: Postgresql, source: Path, moved: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, said = moved
    assert "metrics_snapshotrecord: 1,000 rows, the same in both" in said
    assert "1,000 snapshots" in said[-1]
    exact = "SELECT count(*) FROM metrics_snapshotrecord WHERE cpu = 1000 / 7::float AND latency IS NULL"
    assert ask(target, exact) == 1
    assert ask(target, "SELECT count(*) FROM access_accesstoken WHERE scopes ? 'history' AND id = 7") == 1
    assert ask(target, "SELECT nextval(pg_get_serial_sequence('access_accesstoken', 'id'))") == 8
    with pytest.raises(KeepingError, match="not empty"):
        copy_database(f"sqlite:///{source}", target, said.append)

    other = create(postgresql, "torn", like="moved")
    for table in ("access_accesstoken", "auth_user", "metrics_snapshotrecord"):
        assert ask(other, f"DELETE FROM {table} RETURNING id")

    def read_all_but_one(table: Table, database: str) -> Iterator[Row]:
        rows = read(table, database)
        if database == TARGET and table.name == "metrics_snapshotrecord":
            next(rows)
        yield from rows

    read = Table.read
    monkeypatch.setattr(Table, "read", read_all_but_one)
    with pytest.raises(KeepingError, match="metrics_snapshotrecord is not the same: 1,000 rows were read, 999"):
        copy_database(f"sqlite:///{source}", other, said.append)
    assert ask(other, "SELECT count(*) FROM auth_user") == 0  # nothing is left of it, so that it can be tried again


@pytest.mark.usefixtures("databases_allowed")
def test_what_cannot_be_moved_is_refused_with_a_reason(tmp_path: Path, prepared_database: Path) -> None:
    source = tmp_path / "db.sqlite3"
    shutil.copy(prepared_database, source)
    target = "postgresql://nobody:secret@127.0.0.1:1/none"
    for wrong_source, wrong_target, why in (
        (target, target, "--from must be sqlite"),
        (f"sqlite:///{source}", f"sqlite:///{source}", "must be postgresql"),
        (f"sqlite:///{source}", None, "DATABASE_URL"),
        (f"sqlite:///{source}x", target, "is not there"),
        ("nonsense", target, "no address of a database"),
        (f"sqlite:///{source}", target, "Connection refused"),
    ):
        with pytest.raises(KeepingError, match=why) as caught:
            copy_database(wrong_source, wrong_target, print)
        assert "secret" not in str(caught.value)
    journal = Journal(tmp_path / "db.sqlite3-unstored")
    journal.append(EncodedSnapshot(5, 4, 1, '{"id": 5}'))
    with pytest.raises(KeepingError, match="A publisher is running"):
        copy_database(f"sqlite:///{source}", target, print)
    journal.close()
    with pytest.raises(KeepingError, match=r"1 snapshots in .* are not in its database yet"):
        copy_database(f"sqlite:///{source}", target, print)
