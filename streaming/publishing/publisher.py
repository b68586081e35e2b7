"""The publisher: at each tick it reads the sources, composes a snapshot, hands it to history and to the channel layer.

A tick waits for nothing longer than its deadlines below: not for the database, not for Redis, not for a client.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from channels.layers import BaseChannelLayer
from django.db import Error as DatabaseError

from metrics.choice_reader import ChoiceReader
from metrics.history.reader import HistoryReader
from metrics.history.writer import HistoryWriter
from metrics.snapshot import EncodedSnapshot, Snapshot, compose_snapshot
from metrics.sources import Sources
from streaming.publishing.lease import Lease, LocalLease
from streaming.publishing.ticker import Ticker
from streaming.wire import GROUP, make_layer_message

logger = logging.getLogger(__name__)


class Publisher:
    """Publishes a snapshot every `interval_s` seconds, as long as it holds the lease."""

    def __init__(
        self,
        layer: BaseChannelLayer,
        *,
        interval_s: float,
        history: HistoryWriter,
        lease: Lease | None = None,
        last_known: Callable[[], float | None] = lambda: None,
    ) -> None:
        """`last_known` tells the timestamp of the newest snapshot this process has seen, whoever published it."""
        self._layer = layer
        self.history = history
        self._past = HistoryReader()  # not the hub's, which may be busy with all that it recalls
        self._lease = lease or LocalLease()
        self._last_known = last_known
        self._choices = ChoiceReader()
        self._sources = Sources()
        self._ticker = Ticker(interval_s)
        self._last: float | None = None
        self._failing_since: float | None = None
        self.interval_s = interval_s
        self.published = 0
        self.failed = 0

    @property
    def missed(self) -> int:
        """Ticks that were skipped because the one before took too long."""
        return self._ticker.missed

    @property
    def is_leader(self) -> bool:
        return self._lease.is_held

    async def run(self) -> None:
        """Publish at every tick until cancelled."""
        async with asyncio.TaskGroup() as beside:  # where one of them dies, all end, and start again
            beside.create_task(self._lease.keep())
            beside.create_task(self.history.run())
            was_leader = False
            async for _ in self._ticker:
                is_leader = self._lease.is_held
                if is_leader and not was_leader:
                    await self._continue_chain()
                was_leader = is_leader
                if is_leader:
                    await self.publish()

    async def _continue_chain(self) -> None:
        """Learn from history what the publisher before this one published last, where it answers in time."""
        try:
            newest = await self._past.newest(1, patience_s=2.0)
        except (TimeoutError, DatabaseError) as error:
            logger.debug("History does not tell the last snapshot: %s", error)
            return
        if newest:
            self._last = max(newest[-1].timestamp, self._last or 0.0)

    async def run_once(self) -> Snapshot | None:
        """Publish one snapshot; None where the lease cannot be had."""
        await self._lease.take()
        try:
            await self._continue_chain()
            return await self.publish() if self._lease.is_held else None
        finally:
            await self._lease.give_back()

    async def publish(self) -> Snapshot:
        """Read, compose and send one snapshot; a channel layer that fails is logged once and counted."""
        choices = await self._choices.read(patience_s=min(0.1, self.interval_s / 10))
        readings = await self._sources.read(choices, deadline_s=min(0.5, self.interval_s / 2))
        previous = max((t for t in (self._last, self._last_known()) if t is not None), default=None)
        timestamp = round(time.time(), 3)
        if previous is not None:  # the wall clock may stand still or be set back; the stream's time never is
            timestamp = max(timestamp, round(previous + 0.001, 3))
        snapshot = compose_snapshot(choices, readings, timestamp=timestamp, previous=previous, interval=self.interval_s)
        self._last = timestamp
        self.history.add(snapshot)
        await self._send(snapshot.to_encoded())
        return snapshot

    async def _send(self, snapshot: EncodedSnapshot) -> None:
        try:
            async with asyncio.timeout(min(1.0, self.interval_s)):
                await self._layer.group_send(GROUP, make_layer_message(snapshot))
        except Exception as error:  # each layer has its own; the next tick tries again
            self.failed += 1
            if self._failing_since is None:
                self._failing_since = time.monotonic()
                why = str(error) or type(error).__name__
                logger.warning("The channel layer takes no snapshots (%s); trying at each tick.", why)
        else:
            self.published += 1
            if self._failing_since is not None:
                away_s = time.monotonic() - self._failing_since
                self._failing_since = None
                logger.info("The channel layer takes snapshots again, after %.0f s.", away_s)

    async def aclose(self) -> None:
        """Write what history still waits for, and let go of the sources' connections and threads."""
        await self.history.aclose()
        self._past.close()
        await self._sources.aclose()
        await self._choices.aclose()
