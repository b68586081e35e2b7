"""Keeps files to their owner: who else has a login on this machine reads neither positions nor sessions from them."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

#: What SQLite writes beside its file. It makes them with the file's own mode, so that they follow it later on.
BESIDE = ("", "-wal", "-shm", "-journal")


def keep_private(path: str | Path) -> None:
    """Take everybody's rights to a file but its owner's; what is not there, or somebody else's, stays as it is."""
    with suppress(OSError):
        mode = os.stat(path).st_mode & 0o777
        if mode & 0o077:
            os.chmod(path, mode & 0o700)


def keep_database_private(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """A connection was opened: where the database is a file, keep it and what is beside it to its owner."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not name.startswith("file:") and ":memory:" not in name:
        for suffix in BESIDE:
            keep_private(f"{name}{suffix}")
