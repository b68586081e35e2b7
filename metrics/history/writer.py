"""Writes published snapshots into the database without anybody waiting for it.

What the database does not take is held in memory, oldest first, and caught up when it does. Only when more than
`capacity` snapshots wait are the oldest given up, counted and logged.
"""

import asyncio
import logging
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from django.db import Error as DatabaseError
from django.db import close_old_connections

from metrics.models import SnapshotRecord
from metrics.snapshot import Snapshot, to_ms

logger = logging.getLogger(__name__)

#: Snapshots written, or deleted for their age, in one transaction: few enough to hold the lock for milliseconds.
BATCH = 200
#: Seconds until a failed write is tried again.
RETRY_S = 1.0
#: Seconds between two looks for snapshots that are past the retention.
PRUNE_EVERY_S = 60.0


def write(records: list[SnapshotRecord]) -> None:
    """Insert `records` (blocking); one that is there already stays as it is. Raises django.db.Error."""
    close_old_connections()
    try:
        SnapshotRecord.objects.bulk_create(records, ignore_conflicts=True)
    finally:
        close_old_connections()


def prune(before_ms: int, at_most: int = BATCH) -> int:
    """Delete the oldest records from before a time and return how many (blocking). Raises django.db.Error."""
    close_old_connections()
    try:
        old = SnapshotRecord.objects.filter(time_ms__lt=before_ms).order_by("time_ms")
        keys = list(old.values_list("time_ms", flat=True)[:at_most])
        if keys:
            SnapshotRecord.objects.filter(time_ms__lte=keys[-1]).delete()  # one plain DELETE: nothing refers to them
        return len(keys)
    finally:
        close_old_connections()


class HistoryWriter:
    """Takes snapshots at once and writes them when the database can."""

    def __init__(self, *, retention_s: float, capacity: int = 10_000) -> None:
        """`retention_s`: seconds that snapshots are kept; `capacity`: how many may wait for the database."""
        self.retention_s = retention_s
        self.capacity = capacity
        self.given_up = 0
        self.error: str | None = None  # why the last write failed, None where it did not
        self._waiting: deque[SnapshotRecord] = deque()
        self._arrived = asyncio.Event()
        self._failing_since: float | None = None
        self._prune_at = 0.0
        # A thread of its own: a database that hangs takes nobody else's thread with it.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="history")

    @property
    def waiting(self) -> int:
        """How many snapshots are not in the database yet."""
        return len(self._waiting)

    def add(self, snapshot: Snapshot, term: int) -> None:
        """Have `snapshot` written soon; returns at once. Past the capacity the oldest one waiting is given up."""
        if len(self._waiting) >= self.capacity:
            self._waiting.popleft()
            self.given_up += 1
            if self.given_up == 1 or self.given_up % 1000 == 0:
                logger.error("History gave up %d snapshots: the database has been away too long.", self.given_up)
        self._waiting.append(SnapshotRecord.from_snapshot(snapshot, term))
        self._arrived.set()

    async def run(self) -> None:
        """Write what arrives and delete what is too old, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(PRUNE_EVERY_S):
                    await self._arrived.wait()
            except TimeoutError:
                pass
            try:
                await self.flush()
                await self._prune_if_due()
            except (DatabaseError, OSError) as error:
                self._note_failure(error)
                await asyncio.sleep(RETRY_S)

    async def flush(self) -> None:
        """Write everything that waits, oldest first. Raises django.db.Error, with the rest still waiting."""
        self._arrived.clear()
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = list(islice(self._waiting, BATCH))
            try:
                await loop.run_in_executor(self._executor, write, batch)
            except BaseException:
                self._arrived.set()
                raise
            written = set(map(id, batch))  # some may have been given up meanwhile
            while self._waiting and id(self._waiting[0]) in written:
                self._waiting.popleft()
            self._note_success()

    async def _prune_if_due(self) -> None:
        """Delete one batch of what is past the retention; more at the next turn, so that writes come between."""
        if time.monotonic() < self._prune_at:
            return
        before_ms = to_ms(time.time() - self.retention_s)
        deleted = await asyncio.get_running_loop().run_in_executor(self._executor, prune, before_ms)
        if deleted < BATCH:
            self._prune_at = time.monotonic() + PRUNE_EVERY_S
        else:
            self._arrived.set()  # come back soon
            await asyncio.sleep(0.05)

    def _note_failure(self, error: Exception) -> None:
        self.error = str(error) or type(error).__name__
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            logger.warning("The database takes no history (%s); holding it in memory and trying again.", self.error)

    def _note_success(self) -> None:
        self.error = None
        if self._failing_since is not None:
            away_s = time.monotonic() - self._failing_since
            self._failing_since = None
            logger.info("The database takes history again, after %.0f s.", away_s)

    async def aclose(self) -> None:
        """Try once more to write what waits, for two seconds at most, then let go of the thread."""
        try:
            async with asyncio.timeout(2):
                await self.flush()
        except (DatabaseError, OSError, TimeoutError) as error:
            if self.waiting:
                logger.error("%d snapshots could not be written to history: %s", self.waiting, error or "no answer")
        self._executor.shutdown(wait=False, cancel_futures=True)
