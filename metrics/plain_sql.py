"""SQL for what is asked at each tick: on Django's connection, without what Django has around a cursor for everybody.

Of a snapshot's CPU time that was an eighth: finding a thread's connection (through asgiref's locals, for each use of
`django.db.connection`), making and wrapping a cursor, and writing the placeholders anew in each text. After a pause,
when nothing of it is in the processor's caches, it takes longer than a database takes to answer.
"""

import threading
from collections.abc import Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

_threads = threading.local()


def own_connection() -> BaseDatabaseWrapper:
    """Django's connection of this thread, looked up once."""
    try:
        connection: BaseDatabaseWrapper = _threads.connection
    except AttributeError:
        connection = _threads.connection = connections[DEFAULT_DB_ALIAS]
    return connection


def find_placeholder() -> str:
    """What stands for a parameter in the driver's own SQL (PEP 249, paramstyle): `?` in SQLite's, `%s` in psycopg's."""
    return "?" if own_connection().vendor == "sqlite" else "%s"


def execute(sql: str, parameters: Sequence[object] = ()) -> Any:
    """Run `sql`, with `find_placeholder` in it for each parameter; returns the driver's cursor (blocking).

    The cursor is this thread's only one, and not for fetching: see `fetch_all`. Raises django.db.Error, as Django's own
    cursors do.
    """
    connection = own_connection()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        cursor = getattr(_threads, "cursor", None)
        if cursor is None or cursor.connection is not connection.connection:  # it was opened anew
            cursor = _threads.cursor = connection.connection.cursor()
        return cursor.execute(sql, parameters) if parameters else cursor.execute(sql)


def fetch_all(sql: str) -> list[tuple[Any, ...]]:
    """The rows that `sql`, without parameters, finds (blocking). Raises as `execute`, also where one is damaged."""
    with own_connection().wrap_database_errors:
        rows: list[tuple[Any, ...]] = execute(sql).fetchall()
        return rows
