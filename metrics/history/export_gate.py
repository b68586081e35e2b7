"""How many exports of history may be under way in this process.

Each holds a page of rows and a part of the answer for as long as its client takes to read, and asks the database again
and again. A few that read slowly shall not take the memory and the time that the stream needs.
"""

from threading import Lock
from weakref import WeakSet

from django.conf import settings

#: Seconds after which it is worth asking again.
RETRY_AFTER_S = 10


class Slot:
    """The right to be one of the exports under way."""


class TooManyExportsError(Exception):
    """All slots are taken; the message says what to do."""


class ExportGate:
    """Hands out slots. One that nobody holds any more is free again: a request that breaks off anywhere loses none."""

    def __init__(self) -> None:
        self._slots: WeakSet[Slot] = WeakSet()
        self._entering = Lock()  # requests come from threads

    @property
    def limit(self) -> int:
        """How many exports there may be."""
        limit: int = settings.HISTORY_EXPORTS
        return limit

    @property
    def under_way(self) -> int:
        """How many exports there are now."""
        return len(self._slots)

    def enter(self) -> Slot:
        """Take a slot, until leave() or the end of its last reference. Raises TooManyExportsError."""
        slot = Slot()
        with self._entering:
            self.refuse_if_full()
            self._slots.add(slot)
        return slot

    def refuse_if_full(self) -> None:
        """Raise TooManyExportsError where no slot is free now."""
        if len(self._slots) < self.limit:
            return
        raise TooManyExportsError(
            f"{self.limit} long answers are being sent, as many as this process sends at once. Ask again in "
            f"{RETRY_AFTER_S} s, ask for a shorter range or a summary (points=400), or let HISTORY_EXPORTS be more."
        )

    def leave(self, slot: Slot) -> None:
        """Give `slot` back; again does nothing."""
        self._slots.discard(slot)


gate = ExportGate()
