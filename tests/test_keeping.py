"""Backups while the dashboard runs, and what becomes of the sequence when an older database is put in its place."""

import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streaming.keeping import retention, sqlite_copies
from streaming.keeping.chain import read_chain
from streaming.keeping.keeping_error import KeepingError
from streaming.keeping.kinds import know_kind
from streaming.keeping.migrations import refuse_newer
from streaming.keeping.new_file import written_beside
from streaming.keeping.publishers import refuse_running
from tests.conftest import StartServer
from tests.processes import MEASURED, Redis, Server, wait_until
from tests.test_commands import manage


def manage_for(server: Server, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command with a server's settings."""
    return manage(*words, **{**server.environment, **MEASURED, **environment})


def done(answer: subprocess.CompletedProcess[str]) -> str:
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def refused(answer: subprocess.CompletedProcess[str]) -> str:
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    return answer.stderr


def newest_id(database: Path) -> int:
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        return int(connection.execute("SELECT coalesce(max(id), 0) FROM metrics_snapshotrecord").fetchone()[0])


def assert_follows(first: dict[str, Any], last: int) -> None:
    """Whoever has `last` is sent what follows it, and nothing is missing between."""
    assert first["previous"] == last
    assert "missed" not in first


@pytest.mark.timeout(180)
def test_a_backup_is_made_while_it_runs_and_restoring_it_forks_nothing_unsaid(
    tmp_path: Path, start_server: StartServer
) -> None:
    database, file = tmp_path / "db.sqlite3", tmp_path / "kept" / "at-%H%M%S.backup"
    file.parent.mkdir()
    server = start_server()
    wait_until(lambda: newest_id(database) > 0)
    said = done(manage_for(server, "backup", str(file), "--keep", "1"))
    (kept,) = file.parent.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "each follows the one before it" in said
    contents = sqlite_copies.read_contents(kept)
    assert (contents.rows["auth_user"], contents.rows["metrics_datasource"]) == (1, 3)
    assert contents.chain.last is not None
    with pytest.raises(KeepingError, match="is there already"), written_beside(kept):
        pass
    with pytest.raises(KeepingError, match="A publisher is running on this machine"):
        refuse_running(Path(f"{database}-unstored"), None)
    assert sqlite_copies.is_in_use(database)

    last = server.receive(3)[-1]["id"]
    assert server.stop() == 0
    last = newest_id(database)
    said = done(manage_for(server, "restore", str(kept), "--replace"))
    assert f"The sequence goes on from {last}, which the journal knows." in said
    assert newest_id(database) == contents.chain.last < last

    again = start_server("uvicorn")
    assert_follows(again.receive(1, f"?since={last}")[0], last)  # the journal knew it
    behind = again.receive(1, f"?since={contents.chain.last}")[0]
    assert behind["missed"]["after"] == contents.chain.last
    assert again.stop() == 0
    chain = sqlite_copies.read_contents(database).chain
    assert (len(chain.gaps), chain.forks) == (1, [])


def test_what_is_no_backup_is_not_restored(tmp_path: Path, prepared_database: Path) -> None:
    """Each is refused before anything is touched."""
    good = tmp_path / "good"
    sqlite_copies.copy(prepared_database, touched(good))
    damaged, foreign = tmp_path / "damaged", tmp_path / "foreign"
    damaged.write_bytes(good.read_bytes()[:8192] + bytes(good.stat().st_size - 8192))
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE other (id)")
    wrong = ((damaged, "is damaged"), (foreign, "not the dashboard's"), (tmp_path / "none", "unable to open"))
    for path, why in wrong:
        with pytest.raises(KeepingError, match=why):
            sqlite_copies.read_contents(path)
    text, newer = tmp_path / "text", tmp_path / "newer"
    text.write_text("not a backup")
    shutil.copy(good, newer)
    with closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('metrics', '0999_x', '2030')")
    with pytest.raises(KeepingError, match="of a newer release"):
        refuse_newer(sqlite_copies.read_contents(newer).migrations)
    there = {"DATABASE_URL": f"sqlite:///{good}"}
    assert "There is a database already" in refused(manage("restore", str(good), **there))
    with pytest.raises(KeepingError, match="is not a backup"):
        know_kind(text)


def touched(path: Path) -> Path:
    path.touch()
    return path


def test_a_copy_that_lacks_a_row_is_not_kept(
    tmp_path: Path, prepared_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = sqlite_copies.read_contents

    def lose_a_user(path: Path) -> sqlite_copies.SqliteContents:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM auth_user")
        return read(path)

    monkeypatch.setattr(sqlite_copies, "read_contents", lose_a_user)
    with pytest.raises(KeepingError, match="differs in auth_user"):
        sqlite_copies.copy(prepared_database, touched(tmp_path / "copy"))


@pytest.mark.parametrize(
    ("rows", "gaps", "forks"),
    [
        ([], [], []),
        ([(5, 4), (6, 5), (7, 6)], [], []),
        ([(5, None), (6, 5), (9, 8), (10, None)], [9, 10], []),
        ([(5, 4), (6, 5), (7, 5), (8, 7), (9, 9)], [], [7, 9]),
    ],
)
def test_a_chain_has_gaps_that_history_tells_and_forks(
    rows: Sequence[tuple[int, int | None]], gaps: list[int], forks: list[int]
) -> None:
    chain = read_chain(rows)
    assert (chain.count, chain.gaps, chain.forks) == (len(rows), gaps, forks)


def test_only_old_backups_with_a_date_in_their_names_are_deleted(tmp_path: Path) -> None:
    pattern = tmp_path / "a-%Y-%m-%d.backup"
    names = [f"a-2026-11-{day:02}.backup" for day in range(1, 6)]
    for name in [*names, "a-2026-99-99.backup", "b-2026-11-01.backup", "a-2026-11-01.backup.txt"]:
        (tmp_path / name).write_bytes(b"PGDMP and so on")
    (tmp_path / "a-2025-01-01.backup").write_text("somebody's notes")
    assert [path.name for path in retention.prune(pattern, 2)] == names[2::-1]
    assert {path.name for path in tmp_path.iterdir()} >= {*names[3:], "a-2026-99-99.backup", "a-2025-01-01.backup"}
    assert retention.name_file(pattern, datetime(2026, 1, 2, tzinfo=UTC)).name == "a-2026-01-02.backup"
    with pytest.raises(KeepingError, match="stand for the time"):
        retention.name_file(tmp_path / "%q", datetime(2026, 1, 2, tzinfo=UTC))


def test_a_publisher_anywhere_is_known_by_its_lease(tmp_path: Path, redis: Redis) -> None:
    refuse_running(tmp_path / "none", redis.url)
    redis.cli("SET", "quantum:lease", "7:somebody", "PX", "60000")
    with pytest.raises(KeepingError, match=f"holds the lease in redis://127.0.0.1:{redis.port}"):
        refuse_running(tmp_path / "none", redis.url)
    redis.kill()
    with pytest.raises(KeepingError, match=r"does not answer .* unset REDIS_URL for this command"):
        refuse_running(tmp_path / "none", redis.url)
