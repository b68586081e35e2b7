"""What a publisher knows of the sequence: what the next snapshot continues, and what became of those it has tried.

Where the outlet decides what is published (Redis), history gets a snapshot when the outlet has said so. Where it does
not answer, nobody knows yet: the snapshot is held until the stream's head tells whether it was published.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from metrics.history.writer import HistoryWriter
from metrics.snapshot import EncodedSnapshot, Snapshot, decode_snapshot, next_id, to_ms
from streaming.publishing.lease import Lease
from streaming.publishing.outlet import Outlet

logger = logging.getLogger(__name__)

#: Seconds in which those who know the past tell a new leader what was published last.
LEARNING_PATIENCE_S = 2.0
#: How many of the newest snapshots a new leader hands from the outlet to history, which may lack some.
RECOVERED = 1000
#: Before all ids.
EVERYTHING = -1
#: How many ids (ms) are left out where one may have been given that nobody knows: longer than a lease and an interval.
LEFT_OUT = 100_000


class Head(NamedTuple):
    """The newest snapshot that somebody knows."""

    id: int
    term: int


class Composed(NamedTuple):
    """A snapshot, and how it travels."""

    snapshot: Snapshot
    message: EncodedSnapshot


class Past(Protocol):
    """Who may know what was published last; see streaming.past."""

    async def head(self, patience_s: float) -> Head | None:
        """The newest snapshot in history. Raises TimeoutError and django.db.Error."""


class Received(Protocol):
    """What has come to this process by the channel layer, whoever published it: see streaming.runtime."""

    def head(self) -> Head | None:
        """The newest; None where nothing has come yet."""

    def after(self, id: int) -> Iterable[EncodedSnapshot]:  # noqa: A002 - the wire's word
        """What came after `id` and is still in memory, oldest first."""


class Sequence:
    """The publisher asks it for the next snapshot's place, and tells it what became of that snapshot."""

    def __init__(
        self, outlet: Outlet, lease: Lease, *, history: HistoryWriter, past: Past, received: Received | None
    ) -> None:
        """`lease` is told of every term that turns up. `received`: None where this process receives nothing."""
        self._outlet = outlet
        self._lease = lease
        self._history = history
        self._past = past
        self._received = received
        self._last: int | None = None  # the id of the newest snapshot that is known to be published
        self._newest_id: int | None = None  # of all that are known or were tried
        self._held: dict[int, Composed] = {}  # those that nobody knows of whether they are published
        self._may_lack_after: int | None = None  # history may lack what was published after this id
        self._may_lack_newest = False  # the outlet has lost what it had: nobody may know the newest
        self._handed_on = EVERYTHING  # history has, or gets, what was received up to this id
        self.published = 0

    # --- the next snapshot ---

    def find_next(self, now_s: float) -> tuple[int, int | None]:
        """The next snapshot's id, and that of the one before it. `now_s`: Unix seconds.

        The id is never given twice, whatever becomes of it.
        """
        if self._may_lack_newest and self._newest_id is not None and to_ms(now_s) <= self._newest_id:
            self._newest_id += LEFT_OUT  # else the clock sees to it
        self._may_lack_newest = False
        self._newest_id = next_id(self._newest_id, now_s)
        return self._newest_id, self._last

    def note_tried(self, composed: Composed) -> None:
        """It goes to the outlet now; where that does not decide, this is what makes it a part of the sequence."""
        if self._outlet.decides:
            self._held[composed.message.id] = composed
        else:
            self._add(composed)

    def note_published(self, composed: Composed) -> None:
        """The outlet has published it."""
        self._held.clear()  # those did not get in before this one, and cannot any more
        if self._outlet.decides:
            self._add(composed)
        self.published += 1

    def note_refused(self, composed: Composed) -> None:
        """The outlet has not published it, and never will."""
        self._held.pop(composed.message.id, None)

    def _add(self, composed: Composed) -> None:
        self._last = composed.message.id
        self._history.add(*composed)

    # --- what others have published ---

    def look(self) -> None:
        """Take note of what has come to this process."""
        if self._received is not None:
            self._note(self._received.head())

    async def learn(self) -> bool:
        """Learn the newest snapshot and term from history; False where it does not tell.

        Where nobody else publishes, this machine's journal knows as well; else it knows one that ids have to be above.
        """
        has_told = True
        try:
            stored = await self._past.head(LEARNING_PATIENCE_S)
        except (TimeoutError, OSError, DatabaseError) as error:
            logger.debug("History does not tell the newest snapshot: %s", error)
            has_told = False
        else:
            self._note(stored)
            self._handed_on = max(self._handed_on, stored.id if stored is not None else EVERYTHING)
        kept = self._history.newest
        if kept is not None and not self._outlet.decides:
            self._note(Head(*kept))
            return True
        if kept is not None:
            self._newest_id = max(self._newest_id or 0, kept.id)
        return has_told

    async def take_over(self) -> None:
        """Begin a tenure: know what was published before, and hand history what it may not have got.

        Where nobody tells who must, nobody knows: the next snapshot names none before it.
        """
        self._may_lack_after = EVERYTHING
        has_history_told = await self.learn()
        self.look()
        has_outlet_told = await self.make_up()
        self._may_lack_newest = self._outlet.decides and not has_outlet_told
        if not has_history_told and not has_outlet_told:
            self._last = None

    async def make_up(self) -> bool:
        """Hand history what others have of what was published, if it may lack some. True where the outlet had some.

        Where the outlet does not tell, it is asked again after the next snapshot. What it has lost since it published
        it, this process may have received.
        """
        after = self._may_lack_after
        if after is None:
            return False
        found: list[EncodedSnapshot] = []
        try:
            async with asyncio.timeout(LEARNING_PATIENCE_S):
                if after == EVERYTHING:
                    found = await self._outlet.newest(RECOVERED)
                else:
                    found = await self._outlet.between(after, None)
        except (TimeoutError, OSError, RedisError) as error:
            logger.debug("The outlet does not tell what was published: %s", error)
        else:
            self._may_lack_after = None
        received = self._received.after(max(after, self._handed_on)) if self._received is not None else ()
        known = {message.id: message for message in (*received, *found)}
        for number in sorted(known):
            self._hand_on(known[number])
        return bool(found)

    def _hand_on(self, message: EncodedSnapshot) -> None:
        """Have history keep what somebody has published."""
        try:
            self._history.add(decode_snapshot(message.text), message)
        except ValueError as error:
            logger.warning("Snapshot %d cannot be read and is not kept: %s", message.id, error)
        self._handed_on = max(self._handed_on, message.id)
        self._note(Head(message.id, message.term))

    async def learn_from(self, head: int | None) -> None:
        """The stream goes on from `head`, which is newer than what was known as the newest."""
        held = None if head is None else self._held.get(head)
        if held is None or held.message.term != self._lease.term:
            last = EVERYTHING if self._last is None else self._last
            self._may_lack_after = last if self._may_lack_after is None else min(last, self._may_lack_after)
            await self.make_up()
        if head is not None:
            self._note(Head(head, self._lease.term))

    def _note(self, head: Head | None) -> None:
        """Take note of a snapshot that was published."""
        if head is None:
            return
        self._lease.known_term = max(self._lease.known_term, head.term)
        held = self._held.get(head.id)
        if held is not None and held.message.term == head.term:  # and not another tenure's with the same id
            del self._held[head.id]
            self.published += 1
            self._history.add(*held)
        if self._last is None or head.id > self._last:
            self._last = head.id
        self._newest_id = max(self._newest_id or 0, head.id)
