"""Copies everything from an SQLite database into an empty PostgreSQL, and compares each table row by row."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dj_database_url
import psycopg
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db import Error as DatabaseError
from django.db.migrations.executor import MigrationExecutor
from psycopg import sql

from streaming.keeping import sqlite_copies
from streaming.keeping.digest import Digest, digest_rows
from streaming.keeping.keeping_error import KeepingError
from streaming.keeping.migrations import refuse_newer
from streaming.keeping.publishers import STOP, refuse_unstored
from streaming.keeping.tables import Table, find_tables

#: What Django calls the two databases here.
SOURCE, TARGET = "copied_from", "copied_to"
#: Tables that a database in use has rows in, and one that was only migrated has not.
IN_USE = ("auth_user", "metrics_snapshotrecord")
#: The whole is one transaction, which takes as long as it takes.
PATIENT = "-c statement_timeout=0 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=0"


def copy_database(source_url: str, target_url: str | None, show: Callable[[str], None]) -> None:
    """Copy all (blocking), telling `show` about each table. Raises KeepingError; then the target has no rows.

    `target_url`: None for DATABASE_URL, whose password nobody sees in the list of processes.
    """
    path = know_source(source_url)
    with added_databases(path, know_target(target_url)):
        try:
            contents = sqlite_copies.read_contents(path)
            refuse_newer(contents.migrations)
            refuse_pending(source_url)
            refuse_filled()
            call_command("migrate", database=TARGET, verbosity=0)
            tables = find_tables()
            with transaction.atomic(using=TARGET):
                empty(tables)
                for table in tables:
                    rows = copy_table(table)
                    show(f"{table.name}: {rows:,} rows, the same in both")
                reset_sequences(tables)
        except (DatabaseError, psycopg.Error) as error:
            raise KeepingError(f"The target: {str(error).strip() or type(error).__name__}") from None
    left = sorted({*contents.rows} - {table.name for table in tables} - {"django_migrations"})
    if left:
        show(f"Not copied, for this release does not know them: {', '.join(left)}")
    show(f"History: {contents.chain.describe()}.")


def know_source(url: str) -> Path:
    """The SQLite file that is copied. Raises KeepingError where there is none, or somebody uses it."""
    found = parse(url)
    path = Path(str(found.get("NAME"))).absolute()
    if not str(found.get("ENGINE")).endswith("sqlite3"):
        raise KeepingError("--from must be sqlite:///path of the database, or of a backup of it.")
    if not path.is_file():
        raise KeepingError(f"{path} is not there: sqlite:////path (four slashes) begins at the root.")
    refuse_unstored(Path(f"{path}-unstored"))
    if sqlite_copies.is_in_use(path):
        raise KeepingError(f"Another process has {path} open: what it writes now would not be copied. {STOP}")
    return path


def know_target(url: str | None) -> dict[str, Any]:
    """How Django connects to the database that is filled. Raises KeepingError where it is not a PostgreSQL."""
    found = dict(connections.settings[DEFAULT_DB_ALIAS]) if url is None else parse(url)
    if not str(found.get("ENGINE")).endswith("postgresql"):
        raise KeepingError("--to (or DATABASE_URL) must be postgresql://user:password@host:port/name.")
    return {**found, "OPTIONS": {"connect_timeout": 5, **found.get("OPTIONS", {}), "options": PATIENT}}


def parse(url: str) -> dict[str, Any]:
    """Raises KeepingError where it is no address of a database; says nothing of what is in it."""
    try:
        return dict(dj_database_url.parse(url))
    except (ValueError, KeyError):
        raise KeepingError(
            "That is no address of a database: sqlite:///path, postgresql://user:password@host:port/name."
        ) from None


@contextmanager
def added_databases(path: Path, target: dict[str, Any]) -> Iterator[None]:
    """Let Django know both in the block."""
    source = {"ENGINE": "django.db.backends.sqlite3", "NAME": f"file:{quote(str(path))}?mode=ro"}
    added = connections.configure_settings({"default": {}, SOURCE: source, TARGET: target})
    del added["default"]
    connections.settings.update(added)
    try:
        yield
    finally:
        for alias in added:
            connections[alias].close()
            del connections[alias]
            del connections.settings[alias]


def refuse_pending(source_url: str) -> None:
    """Raises KeepingError where the source is of an older release."""
    executor = MigrationExecutor(connections[SOURCE])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise KeepingError(f"The source is of an older release: DATABASE_URL={source_url} manage.py migrate, first.")


def refuse_filled() -> None:
    """Raises KeepingError where the target is in use already."""
    connection = connections[TARGET]
    there = set(connection.introspection.table_names())
    for table in sorted(there & {*IN_USE}):
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT 1 FROM "{table}" LIMIT 1')  # noqa: S608
            if cursor.fetchone():
                raise KeepingError(f"The target is not empty ({table} has rows): name a new database.")


def empty(tables: list[Table]) -> None:
    """Delete what migrating has put there: the source has its own. Raises django.db.Error."""
    names = sql.SQL(", ").join(sql.Identifier(table.name) for table in tables)
    with connections[TARGET].cursor() as cursor:
        cursor.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(names))


def copy_table(table: Table) -> int:
    """How many rows it has, in both. Raises KeepingError where they differ, django.db.Error and psycopg.Error."""
    connection = connections[TARGET]
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, table.columns))
    )
    read = Digest()
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as copying:
            for row in table.read(SOURCE):
                read = read.add(table.canonical(row))
                copying.write_row(table.prepare(row, connection))
    except psycopg.DataError as error:
        raise KeepingError(f"PostgreSQL cannot hold a row of {table.name}: {str(error).splitlines()[0]}") from None
    written = digest_rows(map(table.canonical, table.read(TARGET)))
    if written != read:
        raise KeepingError(f"{table.name} is not the same: {read.rows:,} rows were read, {written.rows:,} are there.")
    return written.rows


def reset_sequences(tables: list[Table]) -> None:
    """The next row of each table gets a number that no copied one has. Raises django.db.Error."""
    connection = connections[TARGET]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [table.model for table in tables]):
            cursor.execute(statement)
