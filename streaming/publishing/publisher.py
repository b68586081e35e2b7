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
        self._held: Composed | None = None  # the one that nobody knows of whether it is published
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
        async with asyncio.TaskGroup() as beside:  # where one of them dies, all end, and start again
            beside.create_task(self.lease.keep())
            beside.create_task(self.history.run())
            tenure = 0
            async for _ in self._ticker:
                if not self.lease.is_held:
                    self._note(self._seen())  # a tenure of its own is to be newer than all that it has seen
                elif self.lease.term != tenure:
                    await self._take_over()
                    if self.lease.term < self.lease.known_term:  # Redis had forgotten the terms: take a newer one
                        await self.lease.take()
                    tenure = self.lease.term
                if self.lease.is_held:
                    await self.publish()

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

    async def _learn_head(self) -> None:
        """Learn the newest snapshot and term from whoever knows one.

        Where history does not tell, Redis may have been lost, too: then the clock (s) is a term that is higher than all
        from before.
        """
        try:
            self._note(await self._past.head(LEARNING_PATIENCE_S))
        except (TimeoutError, OSError, DatabaseError) as error:
            logger.debug("History does not tell the newest snapshot: %s", error)
            if self.lease.known_term == 0:
                self.lease.known_term = int(self._wall())
        self._note(self._seen())

    def _note(self, head: Head | None) -> None:
        """Take note of a snapshot that was published."""
        if head is None:
            return
        self.lease.known_term = max(self.lease.known_term, head.term)
        if self._held is not None and head.id == self._held.message.id:
            self._confirm_held()
        if self._last is None or head.id > self._last:
            self._last = head.id

    def _confirm_held(self) -> None:
        """The held snapshot was published."""
        if self._held is not None:
            self.published += 1
            self.history.add(*self._held)
            self._held = None

    async def _take_over(self) -> None:
        """Begin a tenure: know what was published before, and hand history what it may not have got."""
        self._held = None  # of a tenure before; if it was published, the outlet has it
        await self._learn_head()
        await self._recover(None)

    async def _recover(self, after: int | None) -> None:
        """Hand history what the outlet has (None: the newest) and whoever published it may not have handed on."""
        try:
            async with asyncio.timeout(LEARNING_PATIENCE_S):
                if after is None:
                    found = await self._outlet.newest(RECOVERED)
                else:
                    found = await self._outlet.between(after, None)
        except (TimeoutError, OSError, RedisError) as error:
            logger.debug("The outlet does not tell what was published: %s", error)
            return
        for message in found:
            try:
                self.history.add(decode_snapshot(message.text), message)
            except ValueError as error:
                logger.warning("Snapshot %d cannot be read and is not kept: %s", message.id, error)
            self._note(Head(message.id, message.term))

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
                id=next_id(self._last, now),
                previous=self._last,
                timestamp=round(now, 3),
                interval=self.interval_s,
            )
            composed = Composed(snapshot, snapshot.to_encoded(self.lease.term))
            if not self._outlet.decides:
                self._last = snapshot.id
                self.history.add(*composed)
            held, self._held = self._held, composed if self._outlet.decides else None
            outcome, head = await self._outlet.publish(composed.message, self.lease.holder)
            self._held = None
            if outcome is Outcome.PUBLISHED:
                if self._outlet.decides:
                    self._last = snapshot.id
                    self.history.add(*composed)
                self.published += 1
                self._note_success()
                return snapshot
            if outcome is Outcome.LOST:
                self.lease.note_lost()
                break
            self._held = held
            await self._learn_from(head)
        return None

    async def _learn_from(self, head: int | None) -> None:
        """The stream goes on from `head`, which is not the snapshot that was known as the newest."""
        if self._held is not None and head == self._held.message.id:
            self._note(Head(head, self.lease.term))
        else:
            await self._recover(self._last or 0)
            if head is not None:
                self._last = max(head, self._last or 0)

    def _note_failure(self, error: Exception) -> None:
        self.failed += 1
        self.error = describe_failure(error)
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
