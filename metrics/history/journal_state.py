"""Looks into the journal's folder from outside: whether somebody publishes here, and what is not stored yet."""

import os
from pathlib import Path
from typing import NamedTuple

from metrics.history.journal import Newest, lock_left, read_lines


class JournalState(NamedTuple):
    """`is_written`: a process that lives has a file there.

    `unstored`: how many snapshots those that are gone have left there. `newest`: that those knew.
    """

    is_written: bool
    unstored: int
    newest: Newest | None


def look_at_journal(folder: Path) -> JournalState:
    """What is there; nothing is taken away. Raises OSError."""
    is_written, unstored, newest = False, 0, None
    for path in sorted(folder.glob("*.jsonl")):
        file = lock_left(path)
        if file is None:
            is_written = is_written or path.exists()
            continue
        try:
            for message in read_lines(file):
                unstored += bool(message.text)
                if newest is None or message.id > newest.id:
                    newest = Newest(message.id, message.term)
        finally:
            os.close(file.descriptor)
    return JournalState(is_written, unstored, newest)
