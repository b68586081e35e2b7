"""What delivery asks of whoever keeps the past: `streaming.past` answers, as do the tests' own."""

from typing import Protocol

from streaming.wire import Frame


class PastUnreadableError(Exception):
    """Nobody who keeps the past answers; the message says why."""


class Past(Protocol):
    """Where snapshots are fetched from that this process has not."""

    async def newest(self, count: int, patience_s: float) -> list[Frame]:
        """The newest `count`, oldest first. Raises PastUnreadableError after `patience_s` seconds."""

    async def between(self, after: int, before: int | None, patience_s: float, at_most: int) -> list[Frame]:
        """The oldest ones between two ids (exclusive; None: no end), oldest first. Raises as `newest`."""
