"""Writes published snapshots into the database without anybody waiting for it.

What the database does not take is held in memory and in a journal, oldest first, and caught up when it does. Only when
more than `capacity` snapshots wait are the oldest given up, counted and logged.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from django.db import DataError, IntegrityError
from django.db import Error as DatabaseError

from metrics.database_errors import explain_database_error
from metrics.history.horizon import Horizon
from metrics.history.journal import Journal, Newest
from metrics.history.store import Entry, Store
from metrics.snapshot import EncodedSnapshot, Snapshot, decode_snapshot, to_ms

logger = logging.getLogger(__name__)

#: Snapshots written, and deleted for their age, in one transaction: few enough to hold the lock for milliseconds, on a
#: busy machine, too (benchmarks.storage: deleting 200 takes up to 66 ms where deleting 50 takes 5).
BATCH, PRUNED = 200, 50
#: Seconds until a failed write is tried again.
RETRY_S = 1.0
#: Seconds between two looks for snapshots that are past the retention.
PRUNE_EVERY_S = 60.0
#: Seconds that the end waits for the database to take what waits.
LAST_TRY_S = 2.0


class Waiting(NamedTuple):
    """What waits to be written, as it is and as it was published, and since when (the loop's clock)."""

    snapshot: Snapshot
    message: EncodedSnapshot
    since: float


class HistoryWriter:
    """Takes snapshots at once and writes them when the store can."""

    def __init__(
        self,
        store: Store,
        *,
        retention_s: float,
        journal: Journal | None = None,
        capacity: int = 10_000,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`retention_s`: seconds that snapshots are kept. `journal`: keeps what waits, for the next process.

        `capacity`: how many may wait. `wall`: Unix seconds.
        """
        self.retention_s = retention_s
        self.capacity = capacity
        self.given_up = 0
        self.refused = 0  # snapshots of a term that was over
        self.is_fenced_off = False  # the last one was refused: somebody else writes, in a higher term
        self.recovered = 0  # snapshots that a process before had left in its journal
        self.error = ""  # why the last write failed, and what to do; empty where it did not
        self._store = store
        self._journal = journal
        self._wall = wall
        self._waiting: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._failing_since: float | None = None
        self._horizon = Horizon()
        self._prune_at = 0.0
        self._is_recovered = journal is None

    @property
    def waiting(self) -> int:
        """How many snapshots are not in the database yet."""
        return len(self._waiting)

    @property
    def newest(self) -> Newest | None:
        """The newest snapshot that this machine's journal knows, stored or not."""
        return self._journal.newest if self._journal is not None else None

    def count_others(self, within_s: float) -> int:
        """How many other processes of this machine have published into this database in the last `within_s` seconds."""
        return self._journal.count_others(within_s) if self._journal is not None else 0

    @property
    def journal_error(self) -> str:
        """Why the journal has not got the last snapshot; empty where it has, or there is no journal."""
        return self._journal.error if self._journal is not None else ""

    @property
    def oldest_waiting_s(self) -> float:
        """Seconds that the oldest of those that wait has waited; 0 where none does."""
        return asyncio.get_running_loop().time() - self._waiting[0].since if self._waiting else 0.0

    def add(self, snapshot: Snapshot, message: EncodedSnapshot) -> None:
        """Have `snapshot`, which travels as `message`, written soon; returns at once.

        It is in the journal then. Past the capacity the oldest one waiting is given up.
        """
        if self._journal is not None:
            self._journal.append(message)
        self._give_up_surplus(1)
        self._waiting.append(Waiting(snapshot, message, asyncio.get_running_loop().time()))
        self._arrived.set()

    def unwritten(self, after: int = -1, before: int | None = None) -> list[EncodedSnapshot]:
        """What is published and not in the database yet, between two ids (exclusive; None: no end), oldest first."""
        messages = (waiting.message for waiting in self._waiting)
        return [message for message in messages if message.id > after and (before is None or message.id < before)]

    def _give_up_surplus(self, more: int) -> None:
        """Make room for `more`."""
        while len(self._waiting) + more > self.capacity:
            self._waiting.popleft()
            self.given_up += 1
            if self.given_up == 1 or self.given_up % 1000 == 0:
                logger.error("History gave up %d snapshots: the database has been away too long.", self.given_up)

    # --- what a process before has left ---

    def recover(self) -> EncodedSnapshot | None:
        """Have written what processes that are gone have left in their journals; return the newest of it.

        Whoever publishes must know it before: it was published. Takes 60 µs for each. Recovering again does nothing.
        """
        if self._is_recovered or self._journal is None:
            return None
        self._is_recovered = True
        now = asyncio.get_running_loop().time()
        found: list[Waiting] = []
        for message in self._journal.recover():
            try:
                found.append(Waiting(decode_snapshot(message.text), message, now))
            except ValueError as error:
                logger.warning("Snapshot %d in the journal cannot be read and is left out: %s", message.id, error)
        if not found:
            return None
        found = found[-self.capacity :]
        self._give_up_surplus(len(found))
        self._waiting.extendleft(reversed(found))
        self._arrived.set()
        self.recovered += len(found)
        logger.info("Recovered %d snapshots that a process before had published and not stored.", len(found))
        return found[-1].message

    # --- writing ---

    async def run(self) -> None:
        """Write what arrives and delete what is too old, until cancelled."""
        loop = asyncio.get_running_loop()
        self.recover()
        self._arrived.set()  # something may wait since before
        while True:
            timer = loop.call_later(PRUNE_EVERY_S, self._arrived.set)
            try:
                await self._arrived.wait()
            finally:
                timer.cancel()
            try:
                await self.flush()
                await self._prune_if_due()
            except (DatabaseError, OSError) as error:
                self._note_failure(error)
                self._arrived.set()
                await asyncio.sleep(RETRY_S)

    async def flush(self) -> None:
        """Write everything that waits, oldest first. Raises django.db.Error or OSError, with the rest still waiting."""
        self._arrived.clear()
        while self._waiting:
            batch = list(islice(self._waiting, BATCH))
            await self._write([(waiting.snapshot, waiting.message.term) for waiting in batch])
            written = set(map(id, batch))  # some may have been given up meanwhile
            while self._waiting and id(self._waiting[0]) in written:
                self._waiting.popleft()
            self._note_success()
        if self._journal is not None:
            self._journal.clear()
            self._journal.forget_recovered()

    async def _write(self, entries: Sequence[Entry]) -> None:
        """Write `entries`; one that the store cannot hold is found by writing them one by one, and left out."""
        try:
            refused = await self._store.write(entries)
        except (DataError, IntegrityError, ValueError, OverflowError) as error:
            if len(entries) > 1:
                for entry in entries:
                    await self._write([entry])
                return
            self.given_up += 1
            lost = entries[0][0].id
            logger.error(
                "History cannot hold snapshot %d, which is left out: %s", lost, error, extra={"snapshot": lost}
            )
            return
        self.is_fenced_off = entries[-1] in refused
        if refused:
            self.refused += len(refused)
            words = "History refused %d snapshots of a publisher whose term was over, from %d (term %d) on."
            first = refused[0][0].id
            logger.error(words, len(refused), first, refused[0][1], extra={"snapshot": first})

    async def _prune_if_due(self) -> None:
        """Delete one batch of what is past the retention; more at the next turn, so that writes come between."""
        now = asyncio.get_running_loop().time()
        if now < self._prune_at:
            return
        wanted_ms = to_ms(self._wall() - self.retention_s)
        oldest_ms, deleted = await self._store.oldest_ms(), 0
        if oldest_ms is not None:
            deleted = await self._store.prune(self._horizon.advance(wanted_ms, oldest_ms, now), PRUNED)
        self._note_success()
        if deleted < PRUNED:
            self._prune_at = now + PRUNE_EVERY_S
        else:
            self._arrived.set()  # come back soon
            await asyncio.sleep(0.05)

    def _note_failure(self, error: Exception) -> None:
        self.error = explain_database_error(error)
        if self._failing_since is None:
            self._failing_since = asyncio.get_running_loop().time()
            logger.warning("The database takes no history; what is published waits. %s", self.error)

    def _note_success(self) -> None:
        self.error = ""
        if self._failing_since is not None:
            away_s = asyncio.get_running_loop().time() - self._failing_since
            self._failing_since = None
            logger.info("The database takes history again, after %.0f s.", away_s)

    # --- the end ---

    async def aclose(self) -> None:
        """Try once more to write what waits, for two seconds at most; the rest stays in the journal."""
        try:
            async with asyncio.timeout(LAST_TRY_S):
                await self.flush()
        except (DatabaseError, OSError, TimeoutError) as error:
            self._tell_what_is_left(explain_database_error(error))
        self._store.close()
        if self._journal is not None:
            self._journal.close()

    def _tell_what_is_left(self, reason: str) -> None:
        """Say where the snapshots are that the database did not take."""
        if self._journal is not None and not self._journal.error:
            logger.warning(
                "%d snapshots are not in the database yet (%s); the next start finds them in the journal.",
                self.waiting,
                reason,
            )
        elif self.waiting:
            logger.error("%d snapshots could not be written to history: %s", self.waiting, reason)
