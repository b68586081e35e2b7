"""Copies an SQLite database while others write into it, and reads the copy again."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from streaming.keeping.chain import Chain, read_chain
from streaming.keeping.keeping_error import KeepingError
from streaming.keeping.migrations import Migration

#: Seconds that is waited for whoever keeps the file locked.
PATIENCE_S = 10
HISTORY = "metrics_snapshotrecord"


class SqliteContents(NamedTuple):
    """What is in a database. `rows`: how many, by table."""

    rows: dict[str, int]
    chain: Chain
    migrations: set[Migration]


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, to be read; all reads in the block see it at one moment. Raises KeepingError, where it is none."""
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=PATIENCE_S, isolation_level=None)
        ) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the moment is now
            yield connection
    except (sqlite3.OperationalError, sqlite3.ProgrammingError) as error:
        raise KeepingError(f"{path} cannot be read: {error}.") from None
    except sqlite3.DatabaseError as error:
        raise KeepingError(f"{path} is damaged: {error}.") from None


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table has. Raises sqlite3.Error."""
    tables = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if not name.startswith("sqlite_")
    ]
    return {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608
        for name in sorted(tables)
    }


def read_contents(path: Path) -> SqliteContents:
    """What is in the dashboard's database at `path`, every page of which is read.

    Raises KeepingError where it is damaged or not the dashboard's.
    """
    with opened(path) as connection:
        if (damage := connection.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            raise KeepingError(f"{path} is damaged: {damage}.")
        rows = count_rows(connection)
        if HISTORY not in rows or "django_migrations" not in rows:
            raise KeepingError(f"{path} is a database, but not the dashboard's: it has no {HISTORY}.")
        chain = read_chain(connection.execute(f"SELECT id, previous FROM {HISTORY} ORDER BY id"))  # noqa: S608
        migrations = {Migration(*row) for row in connection.execute("SELECT app, name FROM django_migrations")}
        return SqliteContents(rows, chain, migrations)


def copy(source: Path, target: Path) -> SqliteContents:
    """Copy the database at `source` over the empty file at `target`, as it is at one moment; what is in the copy.

    All in one step: the log keeps what others write meanwhile, and nobody waits. The copy is one file, without a log.
    Raises KeepingError, also where the copy has not all rows.
    """
    with opened(source) as original:
        try:
            with closing(sqlite3.connect(target, isolation_level=None)) as connection:
                original.backup(connection)
                connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        except sqlite3.Error as error:
            raise KeepingError(f"{source} cannot be copied: {error}.") from None
        rows = count_rows(original)
    contents = read_contents(target)
    if contents.rows != rows:
        wrong = sorted(name for name in {*rows, *contents.rows} if rows.get(name) != contents.rows.get(name))
        raise KeepingError(f"The copy of {source} is not what it is of: it differs in {', '.join(wrong)}.")
    return contents


def is_in_use(path: Path) -> bool:
    """Whether anybody else has the database open; where it is damaged nobody can tell, and the answer is no.

    Its log ends when the last one closes it: so it can be ended only by one who is alone.
    """
    try:
        with closing(sqlite3.connect(path, timeout=0.5, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    except sqlite3.DatabaseError:
        return False
    return False
