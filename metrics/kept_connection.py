"""A database connection that stays open between two pieces of work, and is renewed when it is of no use any more."""

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db import Error as DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from metrics.plain_sql import own_connection

T = TypeVar("T")

#: What tells one SQLite file, and what is in it, from another: device, inode, size and time of the last change.
FileIdentity = tuple[int, int, int, int]


class KeptConnection:
    """This thread's connection. Only the thread that uses it may close it."""

    def __init__(self) -> None:
        self._file: FileIdentity | None = None

    @cached_property
    def _path(self) -> Path | None:
        """Of the file; looked up once, for it is asked for at each tick."""
        return find_sqlite_file()

    def run(self, work: Callable[[], T]) -> T:
        """Do `work` (blocking), on the connection that is open or on a new one. Raises what it raises.

        Where the open connection turns out to be broken (PostgreSQL was restarted meanwhile), the work is done again,
        once. After an error of the database the connection is closed: the next work begins with a new one.
        """
        connection = own_connection()
        self._look_at_file(connection)
        was_open = connection.connection is not None
        try:
            return work()
        except DatabaseError:
            is_broken = was_open and not (connection.connection is not None and connection.is_usable())
            connection.close()
            if not is_broken:
                raise
        try:
            return work()
        except DatabaseError:
            connection.close()
            raise

    def _look_at_file(self, connection: BaseDatabaseWrapper) -> None:
        """Open an SQLite file anew that is not the one any more that is open; raises OperationalError without one.

        A deleted or replaced file lives on for whoever has it open: it would be written to, and lost. A file that was
        overwritten in place is not looked at again while its log has not changed. In WAL mode the file itself changes
        only now and then (at checkpoints), so that opening it anew for each change costs next to nothing. A file that
        is gone is not created again, empty: its place is left for the one that somebody brings back.
        """
        if self._path is None:
            return
        try:
            found = os.stat(self._path)
        except OSError:
            connection.close()
            raise OperationalError("unable to open database file") from None
        identity = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
        if identity != self._file:
            connection.close()
            self._file = identity

    def close(self) -> None:
        """Close it, if it is open."""
        own_connection().close()


def find_sqlite_file() -> Path | None:
    """Where the database is a file: its path."""
    database = connections.settings[DEFAULT_DB_ALIAS]
    name = str(database["NAME"])
    if not database["ENGINE"].endswith("sqlite3") or name.startswith("file:") or ":memory:" in name:
        return None
    return Path(name)
