"""Writes a file beside the place where it is to be, and puts it there when it is whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streaming.keeping.keeping_error import KeepingError


@contextmanager
def written_beside(path: Path, *, replaces: bool = False) -> Iterator[Path]:
    """An empty file beside `path`, for its owner alone (0600), which becomes `path` when the block ends well.

    `replaces`: whether what is at `path` then may be replaced. Raises KeepingError where it may not, or where nothing
    can be written there; after any error nothing is left.
    """
    refuse_existing(path, replaces)
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise KeepingError(f"Nothing can be written into {path.parent}: {error.strerror}.") from None
    try:
        yield beside
        keep_on_disk(beside)
        refuse_existing(path, replaces)
        beside.replace(path)
        keep_on_disk(path.parent)
    except OSError as error:
        raise KeepingError(f"{path} cannot be written: {error.strerror or error}.") from None
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):  # what SQLite has beside its file while it writes
            Path(f"{beside}{suffix}").unlink(missing_ok=True)


def refuse_existing(path: Path, replaces: bool) -> None:
    """Raises KeepingError where `path` is there and may not be replaced."""
    if path.exists() and not replaces:
        raise KeepingError(f"{path} is there already, and is not overwritten: name another file, or move it away.")


def keep_on_disk(path: Path) -> None:
    """Have the system write a file, or a folder's list of files, to the disk now. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
