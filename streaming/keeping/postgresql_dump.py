"""Reads what pg_dump has written: which tables are in it, and a digest of each one's rows."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from streaming.keeping.chain import Chain, read_chain
from streaming.keeping.digest import Digest, digest_rows
from streaming.keeping.keeping_error import KeepingError
from streaming.keeping.migrations import Migration
from streaming.keeping.postgresql_programs import begin, finish

HISTORY = "metrics_snapshotrecord"
#: Where a table's rows begin, each a line as COPY writes it, and where they end.
ROWS = re.compile(rb'COPY (?:[\w"]+\.)?"?(\w+)"? \((.*)\) FROM stdin;\n')
END = b"\\.\n"


class DumpContents(NamedTuple):
    """What is in a dump. `columns`, `digests`: by table."""

    columns: dict[str, list[str]]
    digests: dict[str, Digest]
    chain: Chain
    migrations: set[Migration]


def read_dump(path: Path) -> DumpContents:
    """Read all of it. Raises KeepingError where it is damaged, or not the dashboard's."""
    process = begin("pg_restore", "--data-only", "--file=-", str(path))
    reader = DumpReader()
    reader.read(process.stdout or ())
    try:
        finish(process)
    except KeepingError as error:
        raise KeepingError(f"{path} is damaged, or of a newer PostgreSQL than the programs here: {error}") from None
    if HISTORY not in reader.columns or "django_migrations" not in reader.columns:
        raise KeepingError(f"{path} is a backup of PostgreSQL, but not the dashboard's: it has no {HISTORY}.")
    return DumpContents(reader.columns, reader.digests, read_chain(sorted(reader.places)), reader.migrations)


class DumpReader:
    """Takes note of what goes by."""

    def __init__(self) -> None:
        self.columns: dict[str, list[str]] = {}
        self.digests: dict[str, Digest] = {}
        self.places: list[tuple[int, int | None]] = []  # of snapshots: id and previous
        self.migrations: set[Migration] = set()

    def read(self, lines: Iterable[bytes]) -> None:
        """The lines that pg_restore writes."""
        walk = iter(lines)
        for line in walk:
            if found := ROWS.fullmatch(line):
                table = found[1].decode()
                self.columns[table] = [name.strip('" ') for name in found[2].decode().split(",")]
                self.digests[table] = digest_rows(self._take_rows(table, walk))

    def _take_rows(self, table: str, lines: Iterator[bytes]) -> Iterator[bytes]:
        columns = self.columns[table]
        for line in lines:
            if line == END:
                return
            if table == HISTORY:
                row = dict(zip(columns, line.rstrip(b"\n").split(b"\t"), strict=True))
                previous = row["previous"]
                self.places.append((int(row["id"]), None if previous == rb"\N" else int(previous)))
            elif table == "django_migrations":
                row = dict(zip(columns, line.split(b"\t"), strict=True))
                self.migrations.add(Migration(row["app"].decode(), row["name"].decode()))
            yield line


def digest_tables(connection: psycopg.Connection, columns: dict[str, list[str]]) -> dict[str, Digest]:
    """The digests of tables in the database, of these columns. Raises psycopg.Error."""
    return {table: digest_rows(copy_rows(connection, table, names)) for table, names in columns.items()}


def copy_rows(connection: psycopg.Connection, table: str, columns: list[str]) -> Iterator[bytes]:
    """A table's rows as COPY writes them, which is what a dump consists of. Raises psycopg.Error."""
    statement = sql.SQL("COPY {} ({}) TO STDOUT").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copying:
        for row in copying:
            yield bytes(row)


def refuse_differing(found: dict[str, Digest], wanted: dict[str, Digest], what: str) -> None:
    """Raises KeepingError, naming the tables of `what` whose rows are not those that were wanted."""
    wrong = sorted(table for table in {*found, *wanted} if found.get(table) != wanted.get(table))
    if wrong:
        raise KeepingError(f"{what} has not the rows that it should have: it differs in {', '.join(wrong)}.")
