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


@pytest.mark.usefixtures("databases_allowed")
def test_everything_moves_from_sqlite_to_postgresql_and_is_compared(
    tmp_path: Path, postgresql: Postgresql, prepared_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "db.sqlite3", create(postgresql, "moved")
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
    said: list[str] = []
    copy_database(f"sqlite:///{source}", target, said.append)
    assert "metrics_snapshotrecord: 1,000 rows, the same in both" in said
    assert "1,000 snapshots" in said[-1]
    assert (
        ask(target, "SELECT count(*) FROM metrics_snapshotrecord WHERE cpu = 1000 / 7::float AND latency IS NULL") == 1
    )
    assert ask(target, "SELECT count(*) FROM access_accesstoken WHERE scopes ? 'history' AND id = 7") == 1
    assert ask(target, "SELECT nextval(pg_get_serial_sequence('access_accesstoken', 'id'))") == 8
    with pytest.raises(KeepingError, match="not empty"):
        copy_database(f"sqlite:///{source}", target, said.append)

    other = create(postgresql, "torn")

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
        (f"sqlite:///{source}", f"sqlite:///{source}", "--to must be postgresql"),
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
