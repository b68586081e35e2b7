"""Reads snapshots back from the database, encoded as they were published, for whoever missed some."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from django.db import close_old_connections

from metrics.models import SnapshotRecord
from metrics.snapshot import EncodedSnapshot, to_ms

#: Snapshots read at once.
PAGE = 1000


def read_newest(count: int) -> list[EncodedSnapshot]:
    """The newest `count` snapshots, oldest first (blocking). Raises django.db.Error."""
    return encode_records(lambda: reversed(SnapshotRecord.objects.order_by("-time_ms")[:count]))


def read_between(after: float, before: float) -> list[EncodedSnapshot]:
    """The first PAGE snapshots between two times (Unix seconds, exclusive), oldest first (blocking)."""
    between = SnapshotRecord.objects.filter(time_ms__gt=to_ms(after), time_ms__lt=to_ms(before))
    return encode_records(lambda: between.order_by("time_ms")[:PAGE])


def encode_records(read: Callable[[], Iterable[SnapshotRecord]]) -> list[EncodedSnapshot]:
    """Encode what `read` finds, on a connection of this call's own."""
    close_old_connections()
    try:
        return [record.to_encoded() for record in read()]
    finally:
        close_old_connections()


class HistoryReader:
    """Asks history from the event loop, in a thread of its own, one question at a time and never waiting long."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="history-reader")
        self._question: asyncio.Future[list[EncodedSnapshot]] | None = None

    async def newest(self, count: int, patience_s: float) -> list[EncodedSnapshot]:
        """The newest `count` snapshots, oldest first. Raises TimeoutError after `patience_s`, and django.db.Error."""
        return await self._ask(lambda: read_newest(count), patience_s)

    async def between(self, after: float, before: float, patience_s: float) -> list[EncodedSnapshot]:
        """The first PAGE snapshots between two times (Unix seconds, exclusive), oldest first. Raises as `newest`."""
        return await self._ask(lambda: read_between(after, before), patience_s)

    async def _ask(self, read: Callable[[], list[EncodedSnapshot]], patience_s: float) -> list[EncodedSnapshot]:
        if self._question is not None and not self._question.done():
            raise TimeoutError("history has not answered the last question yet")
        self._question = asyncio.get_running_loop().run_in_executor(self._executor, read)
        done, _ = await asyncio.wait([self._question], timeout=patience_s)
        if not done:
            raise TimeoutError(f"history did not answer within {patience_s:g} s")
        return self._question.result()

    def close(self) -> None:
        """Let go of the thread; a question under way is not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)
