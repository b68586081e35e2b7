"""Dumps a PostgreSQL database while others write into it, and puts a dump in the place of what is there."""

import shutil
import subprocess
from pathlib import Path
from typing import IO, cast

from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import sql

from streaming.keeping.keeping_error import KeepingError
from streaming.keeping.postgresql_dump import (
    DumpContents,
    digest_tables,
    read_dump,
    refuse_differing,
)
from streaming.keeping.postgresql_programs import begin, describe_connection, finish, run, session


def find_tables() -> list[str]:
    """The dashboard's tables that are there (blocking). Raises django.db.Error."""
    connection = connections[DEFAULT_DB_ALIAS]
    there = set(connection.introspection.table_names())
    wanted = {*connection.introspection.django_table_names(include_views=False), "django_migrations"}
    return sorted(there & wanted)


def dump(target: Path) -> DumpContents:
    """Write the dashboard's tables into the file `target`, as they are at one moment; what is in the file.

    Raises KeepingError, also where the file has not all rows.
    """
    tables = find_tables()
    if not tables:
        raise KeepingError("The database is empty: there is nothing to back up.")
    with session() as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        moment = (connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",))[0]
        words = [f"--table={table}" for table in tables]
        words += ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={moment}", f"--file={target}"]
        run("pg_dump", *words, f"--dbname={describe_connection()[0]}")
        contents = read_dump(target)
        refuse_differing(contents.digests, digest_tables(connection, contents.columns), "The backup")
    if missing := {*tables} - {*contents.columns}:
        raise KeepingError(f"The backup has not all tables: it lacks {', '.join(sorted(missing))}.")
    return contents


def count_others() -> int:
    """How many others are connected to the database. Raises KeepingError."""
    with session() as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        ).fetchone()
    return found[0] if found else 0


def put_back(source: Path, contents: DumpContents) -> None:
    """Replace the dashboard's tables by those of the dump `source`, all or nothing.

    Raises KeepingError; then the database is as it was, unless it says that rows differ.
    """
    doomed = sorted({*find_tables(), *contents.columns})
    drop = sql.SQL("DROP TABLE IF EXISTS {} CASCADE;\n").format(sql.SQL(", ").join(map(sql.Identifier, doomed)))
    with session() as connection:
        beginning = f"BEGIN;\nSET lock_timeout = '5s';\n{drop.as_string(connection)}"
    words = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={describe_connection()[0]}")
    psql = begin("psql", *words, given=subprocess.PIPE)
    reading = begin("pg_restore", "--no-owner", "--no-privileges", "--file=-", str(source))
    into, out = cast("IO[bytes]", psql.stdin), cast("IO[bytes]", reading.stdout)
    try:
        into.write(beginning.encode())
        shutil.copyfileobj(out, into)
        finish(reading)
        into.write(b"\nCOMMIT;\n")
    except BrokenPipeError:  # psql has met an error, and says so below
        reading.kill()
        reading.wait()
    except KeepingError:
        psql.kill()  # before the end of its transaction
        psql.wait()
        raise
    finish(psql)
    with session() as connection:
        refuse_differing(digest_tables(connection, contents.columns), contents.digests, "The restored database")
