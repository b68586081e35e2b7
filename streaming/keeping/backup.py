"""Backs up the database of DATABASE_URL into a file."""

from pathlib import Path
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections

from metrics.kept_connection import find_sqlite_file
from streaming.keeping import postgresql_copies, sqlite_copies
from streaming.keeping.chain import Chain
from streaming.keeping.keeping_error import KeepingError
from streaming.keeping.kinds import Kind
from streaming.keeping.new_file import written_beside


class Kept(NamedTuple):
    """What is in a file, or in a restored database. `rows`: of all tables."""

    kind: Kind
    tables: int
    rows: int
    chain: Chain

    def describe(self) -> str:
        """In words."""
        return f"{self.kind}, {self.tables} tables, {self.rows:,} rows. History: {self.chain.describe()}."


def back_up(path: Path) -> Kept:
    """Write the new file `path`, which is compared with the database before it gets its name (blocking).

    Raises KeepingError, with nothing left, and django.db.Error.
    """
    with written_beside(path) as beside:
        if connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
            dumped = postgresql_copies.dump(beside)
            rows = sum(digest.rows for digest in dumped.digests.values())
            return Kept(Kind.POSTGRESQL, len(dumped.columns), rows, dumped.chain)
        copied = sqlite_copies.copy(know_sqlite_file(), beside)
        return Kept(Kind.SQLITE, len(copied.rows), sum(copied.rows.values()), copied.chain)


def know_sqlite_file() -> Path:
    """Where the database is. Raises KeepingError where it is not a file."""
    path = find_sqlite_file()
    if path is None:
        raise KeepingError("The database of DATABASE_URL is not a file.")
    if path.is_dir():
        raise KeepingError(f"{path} is a folder: correct DATABASE_URL.")
    return path.absolute()
