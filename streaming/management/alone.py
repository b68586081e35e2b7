"""Keeps those who would change the tables of one database apart: of two who create the same table both fail.

On PostgreSQL an advisory lock, so that it holds between machines; for an SQLite file a lock on its folder.
"""

import fcntl
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections

from metrics.kept_connection import find_sqlite_file

#: What all lock on PostgreSQL, any number that nobody else uses.
LOCK = zlib.crc32(b"quantum dashboard: preparation")


@contextmanager
def alone() -> Iterator[None]:
    """Wait until nobody else holds this for the same database, and keep others waiting; not to be nested.

    Raises django.db.Error, and OSError where the folder of an SQLite file cannot be opened.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    path = find_sqlite_file()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = 0; SET statement_timeout = 0")
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            yield
        except BaseException:
            connection.close()  # the lock is the session's, and ends with it, whatever state that is in
            raise
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    elif path is not None:
        if not path.parent.is_dir():
            connection.ensure_connection()  # says so as for any other reason why a file cannot be opened
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
    else:
        yield
