"""The publisher: at each tick it reads the sources, composes a snapshot, and publishes it.

A tick waits for nothing longer than its deadlines: not for the database, not for Redis, not for a client. What it knows
of the snapshots before, its own and others', is the business of streaming.publishing.sequence.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from metrics.choices import Choices
from metrics.history.writer import HistoryWriter
from metrics.reading import Readings
from metrics.snapshot import Snapshot, compose_snapshot
from streaming.durations import Durations
from streaming.publishing.lease import Lease
from streaming.publishing.outlet import Outcome, Outlet
from streaming.publishing.redis_script import describe_failure
from streaming.publishing.sequence import LEARNING_PATIENCE_S, Composed, Past, Received, Sequence
from streaming.publishing.ticker import Ticker

logger = logging.getLogger(__name__)


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
        received: Received | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`received`: what has come to this process, whoever published it. `wall`: Unix seconds."""
        self._outlet = outlet
        self.lease = lease
        self.history = history
        self.choices = choices
        self._sources = sources
        self._wall = wall
        self._sequence = Sequence(outlet, lease, history=history, past=past, received=received)
        self._ticker = Ticker(interval_s)
        lease.on_taken = self._ticker.hurry
        self._failing_since: float | None = None
        self.interval_s = interval_s
        self.ticked_at: float | None = None  # when the newest tick began, on the loop's clock; None: none since `run`
        self.published_at: float | None = None  # when the outlet took the newest snapshot, on the same clock
        self.error = ""  # why the outlet took the last snapshot not; empty where it did
        self.failed = 0
        self.ticks = Durations()

    @property
    def published(self) -> int:
        """How many snapshots of this publisher's are known to be published."""
        return self._sequence.published

    @property
    def missed(self) -> int:
        """Ticks that were skipped because the one before took too long."""
        return self._ticker.missed

    @property
    def is_leader(self) -> bool:
        return self.lease.is_held

    async def run(self) -> None:
        """Publish at every tick until cancelled."""
        self.ticked_at = None
        await self._learn()
        await self.choices.read(LEARNING_PATIENCE_S)  # not a tick of simulated values before staff's choice is known
        async with asyncio.TaskGroup() as beside:  # where one of them dies, all end, and start again
            beside.create_task(self.lease.keep())
            beside.create_task(self.history.run())
            tenure = 0
            async for _ in self._ticker:
                self.ticked_at = asyncio.get_running_loop().time()
                self._sequence.look()
                if self.lease.is_held and self.lease.term != tenure:
                    await self._sequence.take_over()
                    tenure = self.lease.term
                if self.lease.is_held and self.lease.term < self.lease.known_term:
                    await self.lease.take()  # its store had lost its terms: a higher one
                if self.lease.is_held:
                    began = time.perf_counter()
                    snapshot = await self.publish()
                    self.ticks.add(time.perf_counter() - began)
                    if snapshot is not None:
                        await self._sequence.make_up()

    async def run_once(self) -> Snapshot | None:
        """Publish one snapshot; None where the lease cannot be had or the outlet does not take it."""
        await self._learn()
        await self.lease.take()
        try:
            if not self.lease.is_held:
                return None
            await self._sequence.take_over()
            return await self.publish()
        finally:
            await self.lease.give_back()

    async def _learn(self) -> None:
        """Know the newest snapshot and term before the lease is taken: the new term is to be higher.

        Where history does not tell, Redis may have been lost, too: then the clock (s) is a term that is higher than all
        from before.
        """
        if not await self._sequence.learn() and self.lease.known_term == 0:
            self.lease.known_term = int(self._wall())
        self._sequence.look()

    async def publish(self) -> Snapshot | None:
        """Read, compose and publish one snapshot; None where it was not, or nobody knows whether it was."""
        choices = await self.choices.read(patience_s=min(0.1, self.interval_s / 10))
        readings = await self._sources.read(choices, deadline_s=min(0.5, self.interval_s / 2))
        self._sequence.look()
        try:
            if not self._outlet.decides:  # it is in this process, and has no answer that could be waited for
                return await self._commit(choices, readings)
            async with asyncio.timeout(min(1.0, self.interval_s)):
                return await self._commit(choices, readings)
        except Exception as error:  # each layer and each outlet has its own; the next tick tries again
            self._note_failure(error)
            return None

    async def _commit(self, choices: Choices, readings: Readings) -> Snapshot | None:
        """Publish a snapshot of `readings` after the newest one, whichever that turns out to be."""
        while self.lease.is_held:
            now = self._wall()
            number, previous = self._sequence.find_next(now)
            snapshot = compose_snapshot(
                choices, readings, id=number, previous=previous, timestamp=round(now, 3), interval=self.interval_s
            )
            composed = Composed(snapshot, snapshot.to_encoded(self.lease.term))
            self._sequence.note_tried(composed)
            outcome, head = await self._outlet.publish(composed.message, self.lease.holder)
            if outcome is Outcome.PUBLISHED:
                self._sequence.note_published(composed)
                self._note_success()
                return snapshot
            self._sequence.note_refused(composed)
            if outcome is Outcome.LOST:
                self.lease.note_lost()
                break
            await self._sequence.learn_from(head)
        return None

    def _note_failure(self, error: Exception) -> None:
        self.failed += 1
        self.error = describe_failure(error)
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            logger.warning("The channel layer takes no snapshots (%s); trying at each tick.", self.error)

    def _note_success(self) -> None:
        self.published_at = asyncio.get_running_loop().time()
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
