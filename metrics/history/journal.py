"""Keeps in a file what is published and not in the database yet, so that neither kill -9 nor a long wait loses it.

Each process appends to a file of its own, locked as long as it lives. Who starts reads the files whose process is gone.
Of what is stored one line stays, which says how far the sequence had come: it can go on while the database is away.
What is appended survives the process at once; a failure of the whole machine, as far as the system had written it.
"""

import fcntl
import json
import logging
import os
import time
from pathlib import Path
from typing import NamedTuple

from metrics.private_files import keep_private
from metrics.snapshot import EncodedSnapshot

logger = logging.getLogger(__name__)

#: Snapshots in one file; of more, the newest file and the one before it are kept.
SEGMENT = 10_000
#: What a line has before the rest of its message, with the term in between.
HEAD = b'{"term":'
#: The line that says which snapshot was the newest, when all are stored.
STORED = b'%b%d,"stored":%d}\n'


class OpenFile(NamedTuple):
    """A file of the journal, open and locked."""

    path: Path
    descriptor: int


class Newest(NamedTuple):
    """Which snapshot was appended last, and its term."""

    id: int
    term: int


class Journal:
    """JSON lines: each is the message with its term before all else. Errors are kept and logged, never raised."""

    def __init__(self, folder: Path, *, segment: int = SEGMENT) -> None:
        """`folder` is created where it is missing, but not the folder that it is to be in: a disk may not be there.

        `segment`: snapshots in one file.
        """
        self._folder = folder
        self._segment = segment
        self._own: list[OpenFile] = []  # the newest is written to
        self._count = 0  # of lines in the newest
        self._recovered: list[OpenFile] = []
        self.newest: Newest | None = None  # that is known here: of this process, and of what was recovered
        self.error = ""  # why the last snapshot was not appended; empty where it was

    def append(self, message: EncodedSnapshot) -> None:
        """Add `message`; takes microseconds, and nobody waits for a disk."""
        self._note(message)
        try:
            if not self._own or os.fstat(self._own[-1].descriptor).st_nlink == 0 or self._count >= self._segment:
                self._begin_file()
            write_line(self._own[-1].descriptor, b"%b%d,%b\n" % (HEAD, message.term, message.text[1:].encode()))
            self._count += 1
        except OSError as error:
            self._note_failure(error)
        else:
            self._note_success()

    def clear(self) -> None:
        """Forget what was appended, but which was the newest: it is stored."""
        if self._count or len(self._own) > 1:
            try:
                while len(self._own) > 1:
                    remove(self._own.pop(0))
                os.ftruncate(self._own[0].descriptor, 0)
                self._count = 0
                self._write_newest()
            except OSError as error:
                self._note_failure(error)

    def _write_newest(self) -> None:
        """Raises OSError."""
        if self.newest is not None:
            write_line(self._own[-1].descriptor, STORED % (HEAD, self.newest.term, self.newest.id))

    def _note(self, message: EncodedSnapshot) -> None:
        if self.newest is None or message.id >= self.newest.id:
            self.newest = Newest(message.id, message.term)

    def recover(self) -> list[EncodedSnapshot]:
        """What processes that are gone have left, oldest first; each to one who asks, until it ends or forgets it."""
        found: dict[int, EncodedSnapshot] = {}
        try:
            paths = sorted(self._folder.glob("*.jsonl"))
        except OSError as error:
            self._note_failure(error)
            return []
        for path in paths:
            try:
                file = lock_left(path)
                if file is None:
                    continue
                self._recovered.append(file)
                for message in read_lines(file):
                    self._note(message)
                    if message.text:
                        found[message.id] = message
            except OSError as error:
                self._note_failure(error)
        return [found[number] for number in sorted(found)]

    def forget_recovered(self) -> None:
        """Remove what was recovered: it is stored. Which was the newest stays, in a file of this process."""
        try:
            if self._recovered and not self._own:
                self._begin_file()
                self._write_newest()
            while self._recovered:
                remove(self._recovered.pop())
        except OSError as error:
            self._note_failure(error)

    def count_others(self, within_s: float) -> int:
        """How many other processes have appended in the last `within_s` seconds: each is a publisher."""
        own = {file.path for file in (*self._own, *self._recovered)}
        since = time.time() - within_s
        try:
            active = [
                path for path in self._folder.glob("*.jsonl") if path not in own and path.stat().st_mtime >= since
            ]
        except OSError:  # one of them was just removed, or there is no folder
            return 0
        return len({path.name.partition("-")[0] for path in active} - {str(os.getpid())})

    def close(self) -> None:
        """Let go of the files. What is in them is there for the next process; empty ones are removed."""
        for file in (*self._own, *self._recovered):
            try:
                if os.fstat(file.descriptor).st_size:
                    os.close(file.descriptor)
                else:
                    remove(file)
            except OSError as error:
                self._note_failure(error)
        self._own.clear()
        self._recovered.clear()

    def _begin_file(self) -> None:
        """Open the next file. Raises OSError."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        keep_private(self._folder)
        path = self._folder / f"{os.getpid()}-{time.time_ns()}.jsonl"
        hidden = path.with_suffix(".new")  # nobody looks at it before it is locked
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hidden.rename(path)
        self._own.append(OpenFile(path, descriptor))
        self._count = 0
        while len(self._own) > 2:
            remove(self._own.pop(0))

    def _note_failure(self, error: OSError) -> None:
        reason = f"{self._folder}: {error.strerror or error}"
        if not self.error:
            logger.warning("The journal cannot be kept (%s); a kill loses what is not in the database yet.", reason)
        self.error = reason

    def _note_success(self) -> None:
        if self.error:
            logger.info("The journal can be kept again.")
            self.error = ""


def write_line(descriptor: int, line: bytes) -> None:
    """Append the whole of `line` or nothing. Raises OSError."""
    written = os.write(descriptor, line)
    if written < len(line):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
        raise OSError(None, "no space left for a line")


def lock_left(path: Path) -> OpenFile | None:
    """Open a file whose process is gone; None where it lives, or somebody else took the file. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if os.fstat(descriptor).st_nlink == 0:  # somebody has just removed it
        os.close(descriptor)
        return None
    return OpenFile(path, descriptor)


def read_lines(file: OpenFile) -> list[EncodedSnapshot]:
    """The messages in `file`, see read_line; what is none (a torn last line) is left out. Raises OSError."""
    size = os.fstat(file.descriptor).st_size
    messages = []
    for line in os.pread(file.descriptor, size, 0).splitlines():
        try:
            messages.append(read_line(line))
        except ValueError as error:
            logger.warning("A line of the journal %s cannot be read and is left out: %s", file.path, error)
    return messages


def read_line(line: bytes) -> EncodedSnapshot:
    """The message of one line; of one that is stored only the id and the term, without a text.

    Whether it is a message, nobody has looked yet. Raises ValueError where it has no id.
    """
    head, comma, rest = line.partition(b",")
    if not comma or not head.startswith(HEAD):
        raise ValueError(f"{line[:40]!r} does not begin with a term")
    text = "{" + rest.decode()
    message = json.loads(text)
    term = int(head.removeprefix(HEAD))
    if type(stored := message.get("stored")) is int:
        return EncodedSnapshot(stored, None, term, "")
    if type(number := message.get("id")) is not int:
        raise ValueError(f"{line[:40]!r} has no id")
    return EncodedSnapshot(number, message.get("previous"), term, text)


def remove(file: OpenFile) -> None:
    """Remove and close `file`. Raises OSError."""
    try:
        file.path.unlink(missing_ok=True)
    finally:
        os.close(file.descriptor)
