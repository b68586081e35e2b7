"""A small disk that can be filled, and harm to an SQLite file on it."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: Megabytes: room for the database of a run, small enough to fill at once.
SIZE_MB = 16


class Disk:
    """A folder; a file system of its own where `is_small`."""

    def __init__(self, folder: Path, *, is_small: bool) -> None:
        """`folder` is there."""
        self.folder = folder
        self.is_small = is_small

    def fill(self) -> None:
        """Leave no room at all. Only on a small one."""
        assert self.is_small
        with (self.folder / "filler").open("ab", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))

    def free(self) -> None:
        """Give the room back."""
        (self.folder / "filler").unlink()

    def remove(self) -> None:
        """Unmount it."""
        if self.is_small:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False, capture_output=True)


def find_folder(folder: Path) -> Disk:
    """A small disk at `folder`, or a plain folder where this process may not mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and shutil.which("mount") is not None
    return Disk(folder, is_small=mounted and subprocess.run(command, check=False, capture_output=True).returncode == 0)


def read_sqlite(database: Path, query: str) -> Sequence[Any]:
    """The rows of a query. Raises OSError where there is no such database, or it is harmed."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.Error as error:
        raise OSError(str(error)) from None


def copy_database(database: Path, copy: Path) -> None:
    """A backup as SQLite makes one, while others write."""
    with (
        contextlib.closing(sqlite3.connect(database, timeout=10)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


def remove_database(database: Path) -> None:
    """Delete it with its log, while others have it open."""
    for end in ("", "-wal", "-shm"):
        Path(f"{database}{end}").unlink(missing_ok=True)


def restore_database(database: Path, copy: Path) -> None:
    """Put a backup in its place."""
    remove_database(database)
    shutil.copy(copy, database)


def corrupt_database(database: Path) -> None:
    """Overwrite everything but the first page; the log, too, so that nothing mends it."""
    for file, start in ((database, 4096), (Path(f"{database}-wal"), 0)):
        if file.exists():
            size = file.stat().st_size
            with file.open("r+b") as harmed:
                harmed.seek(start)
                harmed.write(b"\xa5" * max(size - start, 0))
