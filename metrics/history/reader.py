"""Reads snapshots back from the database, encoded as they were published, for whoever missed some."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from metrics.database_thread import DatabaseThread
from metrics.history.readable import read_encoded
from metrics.models import SnapshotRecord
from metrics.snapshot import EncodedSnapshot

T = TypeVar("T")

#: Snapshots read at once.
PAGE = 1000


def read_newest(count: int) -> list[EncodedSnapshot]:
    """The newest `count` snapshots, oldest first (blocking). Raises django.db.Error."""
    return list(read_encoded(SnapshotRecord.objects.order_by("-id")[:count]))[::-1]


def read_between(after: int, before: int | None, limit: int = PAGE) -> list[EncodedSnapshot]:
    """The oldest `limit` snapshots between two ids (exclusive; None: no end), oldest first (blocking).

    Where rows cannot be read there are fewer, but none only where there are none. Raises django.db.Error.
    """
    between = SnapshotRecord.objects.filter(id__gt=after)
    if before is not None:
        between = between.filter(id__lt=before)
    while rows := list(between.order_by("id")[:limit]):
        found = list(read_encoded(rows))
        if found:
            return found
        between = between.filter(id__gt=rows[-1].id)
    return []


def read_newest_term_and_id() -> tuple[int, int] | None:
    """The term and the id of the newest snapshot, readable or not (blocking). Raises django.db.Error."""
    found: tuple[int, int] | None = SnapshotRecord.objects.order_by("-id").values_list("term", "id").first()
    return found


class HistoryReader:
    """Asks history from the event loop, one question at a time and never waiting long.

    All raise TimeoutError after `patience_s` seconds, in which they may have waited for the questions before, and
    django.db.Error. A question that hangs is waited for by the next ones: what hangs holds one thread and one call.
    """

    def __init__(self) -> None:
        self._thread = DatabaseThread("history-reader")
        self._turn = asyncio.Lock()
        self._under_way: asyncio.Future[Any] | None = None

    async def newest(self, count: int, patience_s: float) -> list[EncodedSnapshot]:
        """The newest `count` snapshots, oldest first."""
        return await self._ask(lambda: read_newest(count), patience_s)

    async def between(
        self, after: int, before: int | None, patience_s: float, limit: int = PAGE
    ) -> list[EncodedSnapshot]:
        """The oldest `limit` snapshots between two ids (exclusive; None: no end), oldest first."""
        return await self._ask(lambda: read_between(after, before, limit), patience_s)

    async def newest_term_and_id(self, patience_s: float = 2.0) -> tuple[int, int] | None:
        """The term and the id of the newest snapshot; None where there is none."""
        return await self._ask(read_newest_term_and_id, patience_s)

    async def _ask(self, read: Callable[[], T], patience_s: float) -> T:
        try:
            async with asyncio.timeout(patience_s), self._turn:
                if self._under_way is not None:  # its asker has given up
                    await asyncio.wait([self._under_way])
                self._under_way = question = asyncio.ensure_future(self._thread.ask(read))
                question.add_done_callback(note_failure)
                answer = await asyncio.shield(question)
                self._under_way = None
                return answer
        except TimeoutError:
            raise TimeoutError(f"history did not answer within {patience_s:g} s") from None

    def close(self) -> None:
        """Let go of the thread; a question under way is not waited for."""
        self._thread.close()


def note_failure(question: "asyncio.Future[Any]") -> None:
    """A late failure is nobody's: the next question will say it again."""
    if not question.cancelled():
        question.exception()
