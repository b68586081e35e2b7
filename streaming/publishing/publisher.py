"""The publisher: at each tick it reads the sources, composes a snapshot, and publishes it.

A tick waits for nothing longer than its deadlines: not for the database, not for Redis, not for a client. Where the
outlet decides what is published (Redis), history gets a snapshot when the outlet has said so. Where it does not answer,
nobody knows yet: the snapshot is held, and the next tick learns from the stream's head whether it was published.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from metrics.choices import Choices
from metrics.history.writer import HistoryWriter
from metrics.reading import Readings
from metrics.snapshot import EncodedSnapshot, Snapshot, compose_snapshot, decode_snapshot, next_id
from streaming.publishing.lease import Lease
from streaming.publishing.outlet import Outcome, Outlet
from streaming.publishing.redis_script import describe_failure
from streaming.publishing.ticker import Ticker

logger = logging.getLogger(__name__)

#: Seconds in which those who know the past tell a new leader what was published last.
LEARNING_PATIENCE_S = 2.0
#: How many of the newest snapshots a new leader hands from the outlet to history, which may lack some.
RECOVERED = 1000
#: Before all ids.
EVERYTHING = -1
#: Why a channel layer in this very process was too slow.
TOO_BUSY = "no answer in time; it is in this process, which was stopped for a while, or the machine is too busy"


class Head(NamedTuple):
    """The newest snapshot that somebody knows."""

    id: int
    term: int


class Composed(NamedTuple):
    """A snapshot, and how it travels."""

    snapshot: Snapshot
    message: EncodedSnapshot


class ReadsChoices(Protocol):
    """See metrics.choice_reader.ChoiceReader."""

    @property
    def age_s(self) -> float: ...

    async def read(self, patience_s: float) -> Choices: ...

    async def aclose(self) -> None: ...


class ReadsSources(Protocol):
    """See metrics.sources.Sources."""

    async def read(self, choices: Choices, deadline_s: float) -> Readings: ...

    async def aclose(self) -> None: ...


class Past(Protocol):
    """Who may know what was published last; see streaming.past."""

    async def head(self, patience_s: float) -> Head | None:
        """The newest snapshot in history. Raises TimeoutError and django.db.Error."""


class Publisher:
    """Publishes a snapshot every `interval_s` seconds, as long as it holds the lease."""

    def __init__(
        self,
        outlet: Outlet,
        lease: Lease,
        *,
        interval_s: float,
        history: HistoryWriter,
        choices: ReadsChoices,
        sources: ReadsSources,
        past: Past,
        seen: Callable[[], Head | None] = lambda: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`seen`: the newest snapshot that this process has seen, whoever published it. `wall`: Unix seconds."""
        self._outlet = outlet
        self.lease = lease
        self.history = history
        self.choices = choices
        self._sources = sources
        self._past = past
        self._seen = seen
        self._wall = wall
        self._ticker = Ticker(interval_s)
        self._last: int | None = None  # the id of the newest snapshot that is known to be published
        self._newest_id: int | None = None  # of all that are known or were tried
        self._held: dict[int, Composed] = {}  # those that nobody knows of whether they are published
        self._may_lack_after: int | None = None  # history may lack what was published after this id
        self._failing_since: float | None = None
        self.interval_s = interval_s
        self.error = ""  # why the outlet took the last snapshot not; empty where it did
        self.published = 0
        self.failed = 0

    @property
    def missed(self) -> int:
        """Ticks that were skipped because the one before took too long."""
        return self._ticker.missed

    @property
    def is_leader(self) -> bool:
        return self.lease.is_held

    async def run(self) -> None:
        """Publish at every tick until cancelled."""
        await self._learn_head()
        await self.choices.read(LEARNING_PATIENCE_S)  # not a tick of simulated values before staff's choice is known
        async with asyncio.TaskGroup() as beside:  # where one of them dies, all end, and start again
            beside.create_task(self.lease.keep())
            beside.create_task(self.history.run())
            tenure = 0
            async for _ in self._ticker:
                self._note(self._seen())
                if self.lease.is_held and self.lease.term != tenure:
                    await self._take_over()
                    tenure = self.lease.term
                if self.lease.is_held and self.lease.term < self.lease.known_term:
                    await self.lease.take()  # its store had lost its terms: a higher one
                if self.lease.is_held and await self.publish() is not None:
                    await self._make_up()

    async def run_once(self) -> Snapshot | None:
        """Publish one snapshot; None where the lease cannot be had or the outlet does not take it."""
        await self._learn_head()
        await self.lease.take()
        try:
            if not self.lease.is_held:
                return None
            await self._take_over()
            return await self.publish()
        finally:
            await self.lease.give_back()

    # --- what was published before ---

    async def _learn_head(self) -> bool:
        """Learn the newest snapshot and term from whoever knows one; False where history does not tell.

        Where history does not tell, Redis may have been lost, too: then the clock (s) is a term that is higher than all
        from before.
        """
        has_told = True
        try:
            self._note(await self._past.head(LEARNING_PATIENCE_S))
        except (TimeoutError, OSError, DatabaseError) as error:
            logger.debug("History does not tell the newest snapshot: %s", error)
            has_told = False
            if self.lease.known_term == 0:
                self.lease.known_term = int(self._wall())
        self._note(self._seen())
        return has_told

    def _note(self, head: Head | None) -> None:
        """Take note of a snapshot that was published."""
        if head is None:
            return
        self.lease.known_term = max(self.lease.known_term, head.term)
        held = self._held.get(head.id)
        if held is not None and held.message.term == head.term:  # and not another tenure's with the same id
            del self._held[head.id]
            self.published += 1
            self.history.add(*held)
        if self._last is None or head.id > self._last:
            self._last = head.id
        self._newest_id = max(self._newest_id or 0, head.id)

    async def _take_over(self) -> None:
        """Begin a tenure: know what was published before, and hand history what it may not have got.

        Where neither history nor the outlet tells, nobody does: the next snapshot names none before it.
        """
        self._may_lack_after = EVERYTHING
        has_history_told = await self._learn_head()
        has_outlet_told = await self._make_up()
        if not has_history_told and not has_outlet_told:
            self._last = None

    async def _make_up(self) -> bool:
        """Hand history what the outlet has and whoever published it may not have handed on, if that may be so.

        Where the outlet does not tell, it is asked again after the next snapshot. True where it had some.
        """
        after = self._may_lack_after
        if after is None:
            return False
        try:
            async with asyncio.timeout(LEARNING_PATIENCE_S):
                if after == EVERYTHING:
                    found = await self._outlet.newest(RECOVERED)
                else:
                    found = await self._outlet.between(after, None)
        except (TimeoutError, OSError, RedisError) as error:
            logger.debug("The outlet does not tell what was published: %s", error)
            return False
        self._may_lack_after = None
        for message in found:
            try:
                self.history.add(decode_snapshot(message.text), message)
            except ValueError as error:
                logger.warning("Snapshot %d cannot be read and is not kept: %s", message.id, error)
            self._note(Head(message.id, message.term))
        return bool(found)

    # --- publishing ---

    async def publish(self) -> Snapshot | None:
        """Read, compose and publish one snapshot; None where it was not, or nobody knows whether it was."""
        choices = await self.choices.read(patience_s=min(0.1, self.interval_s / 10))
        readings = await self._sources.read(choices, deadline_s=min(0.5, self.interval_s / 2))
        self._note(self._seen())
        try:
            async with asyncio.timeout(min(1.0, self.interval_s)):
                return await self._commit(choices, readings)
        except Exception as error:  # each layer and each outlet has its own; the next tick tries again
            self._note_failure(error)
            return None

    async def _commit(self, choices: Choices, readings: Readings) -> Snapshot | None:
        """Publish a snapshot of `readings` after the newest one, whichever that turns out to be."""
        while self.lease.is_held:
            now = self._wall()
            snapshot = compose_snapshot(
                choices,
                readings,
                id=next_id(self._newest_id, now),
                previous=self._last,
                timestamp=round(now, 3),
                interval=self.interval_s,
            )
            self._newest_id = snapshot.id  # never given twice, whatever becomes of it
            composed = Composed(snapshot, snapshot.to_encoded(self.lease.term))
            if self._outlet.decides:
                self._held[snapshot.id] = composed
            else:
                self._last = snapshot.id
                self.history.add(*composed)
            outcome, head = await self._outlet.publish(composed.message, self.lease.holder)
            self._held.pop(snapshot.id, None)
            if outcome is Outcome.PUBLISHED:
                self._held.clear()  # they did not get in before this one, and cannot any more
                if self._outlet.decides:
                    self._last = snapshot.id
                    self.history.add(*composed)
                self.published += 1
                self._note_success()
                return snapshot
            if outcome is Outcome.LOST:
                self.lease.note_lost()
                break
            await self._learn_from(head)
        return None

    async def _learn_from(self, head: int | None) -> None:
        """The stream goes on from `head`, which is newer than what was known as the newest."""
        held = None if head is None else self._held.get(head)
        if held is None or held.message.term != self.lease.term:
            self._note_lack()
            await self._make_up()
        if head is not None:
            self._note(Head(head, self.lease.term))

    def _note_lack(self) -> None:
        """What was published after the newest that is known may not have got into history."""
        last = EVERYTHING if self._last is None else self._last
        self._may_lack_after = last if self._may_lack_after is None else min(last, self._may_lack_after)

    def _note_failure(self, error: Exception) -> None:
        self.failed += 1
        is_late = isinstance(error, TimeoutError)
        self.error = TOO_BUSY if is_late and not self._outlet.decides else describe_failure(error)
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            logger.warning("The channel layer takes no snapshots (%s); trying at each tick.", self.error)

    def _note_success(self) -> None:
        self.error = ""
        if self._failing_since is not None:
            away_s = time.monotonic() - self._failing_since
            self._failing_since = None
            logger.info("The channel layer takes snapshots again, after %.0f s.", away_s)

    async def aclose(self) -> None:
        """Write what history still waits for, and let go of the sources' connections and threads."""
        await self.history.aclose()
        await self._sources.aclose()
        await self.choices.aclose()
