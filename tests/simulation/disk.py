"""A simulated disk for the journals: what is written survives a kill, and a file is free when its process is gone."""

from metrics.history.journal import Newest
from metrics.snapshot import EncodedSnapshot
from tests.simulation.process import Process


class File:
    """One process's."""

    def __init__(self, owner: Process) -> None:
        self.owner = owner
        self.taken_by: Process | None = None
        self.messages: list[EncodedSnapshot] = []
        self.newest: Newest | None = None


class SimulatedDisk:
    """The journals' folder."""

    def __init__(self) -> None:
        self.files: list[File] = []
        self.is_full = False
        self.refused: set[int] = set()  # ids that it did not take

    def waiting(self) -> set[int]:
        """The ids that somebody may yet store."""
        return {message.id for file in self.files for message in file.messages}


class SimulatedJournal:
    """A metrics.history.journal.Journal."""

    def __init__(self, disk: SimulatedDisk, process: Process) -> None:
        self.error = ""
        self.newest: Newest | None = None
        self._disk = disk
        self._process = process
        self._own: File | None = None
        self._recovered: list[File] = []

    def append(self, message: EncodedSnapshot) -> None:
        self.newest = Newest(message.id, message.term)
        if self._disk.is_full:
            self.error = "No space left on device"
            self._disk.refused.add(message.id)
            return
        own = self._begin_file()
        own.messages.append(message)
        own.newest = self.newest
        self.error = ""

    def _begin_file(self) -> File:
        if self._own is None:
            self._own = File(self._process)
            self._disk.files.append(self._own)
        return self._own

    def clear(self) -> None:
        if self._own is not None:
            self._own.messages.clear()
            self._own.newest = self.newest

    def recover(self) -> list[EncodedSnapshot]:
        found: dict[int, EncodedSnapshot] = {}
        for file in self._disk.files:
            is_left = file.owner.is_dead and (file.taken_by is None or file.taken_by.is_dead)
            if is_left:
                file.taken_by = self._process
                self._recovered.append(file)
                if file.newest is not None and (self.newest is None or file.newest.id > self.newest.id):
                    self.newest = file.newest
                found.update((message.id, message) for message in file.messages)
        return [found[number] for number in sorted(found)]

    def forget_recovered(self) -> None:
        if self._recovered and self._own is None:
            self._begin_file().newest = self.newest
        while self._recovered:
            self._disk.files.remove(self._recovered.pop())

    def close(self) -> None:
        """The process that ends leaves what is in its file: it counts as dead once it has ended."""
