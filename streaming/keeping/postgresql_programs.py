"""Runs PostgreSQL's own programs against the database of DATABASE_URL. No password is seen in the list of processes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.conninfo import make_conninfo

from metrics.database_errors import explain_database_error
from streaming.keeping.keeping_error import KeepingError

#: Where Debian has them, each release in a folder of its own.
PLACES = Path("/usr/lib/postgresql")
#: Times as text are the same everywhere; nothing of these commands ends because it takes long.
SESSION = (
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 3; "
    "SET statement_timeout = 0; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = 0"
)


def find_program(name: str) -> str:
    """Its path; the newest release's where there are several. Raises KeepingError where there is none."""
    found = sorted(PLACES.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]), reverse=True)
    path = str(found[0]) if found else shutil.which(name)
    if path is None:
        raise KeepingError(f"{name} is not installed on this machine: apt-get install postgresql-client.")
    return path


def describe_connection() -> tuple[str, str]:
    """How to connect, as libpq reads it, without the password; and that. Django's own settings are left out."""
    words = {word.keyword.decode() for word in psycopg.pq.Conninfo.get_defaults()}
    wanted: dict[str, Any] = connections[DEFAULT_DB_ALIAS].get_connection_params()
    password = str(wanted.get("password") or "")
    given = {key: value for key, value in wanted.items() if key in words - {"password", "options"}}
    return make_conninfo(**given), password


@contextmanager
def session() -> Iterator[psycopg.Connection]:
    """A connection that waits as long as it takes. Raises KeepingError for whatever goes wrong in the block."""
    conninfo, password = describe_connection()
    try:
        with psycopg.connect(conninfo, password=password or None, autocommit=True) as connection:
            connection.execute(SESSION)
            yield connection
    except psycopg.Error as error:
        raise KeepingError(f"The database: {explain_database_error(error)}.") from None


def begin(name: str, *words: str, given: int | None = None) -> subprocess.Popen[bytes]:
    """Start a program; what it writes is to be read. `given`: its standard input. Raises KeepingError."""
    environment = {**os.environ, "PGPASSWORD": describe_connection()[1], "PGTZ": "UTC"}
    if not environment["PGPASSWORD"]:
        environment.pop("PGPASSWORD")
    return subprocess.Popen(  # noqa: S603 - its words are ours
        [find_program(name), *words], env=environment, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for its end. Raises KeepingError with its own words where it failed."""
    _, said = process.communicate()
    if process.returncode:
        lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
        program = Path(str(process.args[0])).name  # type: ignore[index]
        raise KeepingError(f"{program} failed: {' '.join(lines[:3]) or process.returncode}")


def run(name: str, *words: str) -> None:
    """Run a program to its end. Raises KeepingError where it fails."""
    finish(begin(name, *words))
