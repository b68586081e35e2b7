"""Which kind of backup a file is, by what it begins with."""

from enum import StrEnum
from pathlib import Path

from streaming.keeping.keeping_error import KeepingError


class Kind(StrEnum):
    """Of a backup, and of the database that it is of."""

    SQLITE = "SQLite"
    POSTGRESQL = "PostgreSQL"


#: The first bytes of a file: of an SQLite database, and of what pg_dump writes in its own format.
BEGINNINGS = {b"SQLite format 3\0": Kind.SQLITE, b"PGDMP": Kind.POSTGRESQL}


def find_kind(path: Path) -> Kind | None:
    """None: it is no backup. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(16)
    return next((kind for beginning, kind in BEGINNINGS.items() if head.startswith(beginning)), None)


def know_kind(path: Path) -> Kind:
    """As find_kind. Raises KeepingError where it is no backup, or cannot be read."""
    try:
        kind = find_kind(path)
    except OSError as error:
        raise KeepingError(f"{path} cannot be read: {error.strerror}.") from None
    if kind is None:
        raise KeepingError(f"{path} is not a backup: neither an SQLite database nor one that pg_dump has written.")
    return kind
