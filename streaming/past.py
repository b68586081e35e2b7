"""What was published, wherever it is kept: the outlet has the last minutes, history the rest, the writer what waits.

Whoever lacks a snapshot asks here: the hub after a gap, a client that resumes, a publisher that takes over.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from metrics.snapshot import EncodedSnapshot
from streaming.delivery.past import PastUnreadableError
from streaming.publishing.outlet import Outlet
from streaming.publishing.publisher import Head
from streaming.wire import Frame

logger = logging.getLogger(__name__)

#: Seconds that the outlet may take; history is asked where it does not answer.
OUTLET_PATIENCE_S = 1.0


class History(Protocol):
    """See metrics.history.reader.HistoryReader."""

    async def newest(self, count: int, patience_s: float) -> list[EncodedSnapshot]: ...

    async def between(self, after: int, before: int | None, patience_s: float, limit: int) -> list[EncodedSnapshot]: ...


class Past:
    """A Past for the hub (streaming.delivery.past) and for the publisher."""

    def __init__(
        self,
        outlet: Outlet,
        history: History,
        waiting: Callable[[int, int | None], Iterable[EncodedSnapshot]] = lambda after, before: (),
    ) -> None:
        """`waiting`: what this process has published and the database has not taken yet, between two ids."""
        self._outlet = outlet
        self._history = history
        self._waiting = waiting

    async def head(self, patience_s: float) -> Head | None:
        """The newest snapshot that history has, or is about to have. Raises TimeoutError and django.db.Error."""
        waiting = [*self._waiting(-1, None)][-1:]
        newest = waiting or await self._history.newest(1, patience_s)
        return Head(newest[-1].id, newest[-1].term) if newest else None

    async def newest(self, count: int, patience_s: float) -> list[Frame]:
        """See streaming.delivery.past.Past."""
        recent = await self._ask_outlet(lambda: self._outlet.newest(count))
        known = merge(recent, self._waiting(-1, None))
        if len(known) < count:
            known = merge(known, await self._ask_history(lambda: self._history.newest(count, patience_s)))
        return as_frames(known[-count:])

    async def between(self, after: int, before: int | None, patience_s: float, at_most: int) -> list[Frame]:
        """See streaming.delivery.past.Past. What is known without history is not asked of history."""
        recent = await self._ask_outlet(lambda: self._outlet.between(after, before))
        known = merge(recent, self._waiting(after, before))
        end = find_last_hole(known, after) if known else before
        if known and end is None:
            return as_frames(known[:at_most])
        try:
            older = await self._ask_history(lambda: self._history.between(after, end, patience_s, at_most))
        except PastUnreadableError:
            if not known:
                raise
            older = []
        if len(older) >= at_most:
            known = [one for one in known if one.id <= older[-1].id]
        return as_frames(merge(older, known)[:at_most])

    async def _ask_outlet(self, ask: Callable[[], Awaitable[list[EncodedSnapshot]]]) -> list[EncodedSnapshot]:
        try:
            async with asyncio.timeout(OUTLET_PATIENCE_S):
                return await ask()
        except (TimeoutError, OSError, RedisError) as error:
            logger.debug("The outlet does not tell what was published: %s", error)
            return []

    async def _ask_history(self, ask: Callable[[], Awaitable[list[EncodedSnapshot]]]) -> list[EncodedSnapshot]:
        try:
            return await ask()
        except (TimeoutError, OSError, DatabaseError) as error:
            raise PastUnreadableError(f"history does not answer: {str(error) or type(error).__name__}") from error


def find_last_hole(known: Sequence[EncodedSnapshot], after: int) -> int | None:
    """The id before which `known` lacks something that was published after the id `after`; None where it has all.

    An outlet that lost data has a hole where a publisher went on, which knew more.
    """
    for place in range(len(known) - 1, -1, -1):
        before = known[place - 1].id if place else after
        previous = known[place].previous
        if previous is None or previous > before:
            return known[place].id
    return None


def merge(first: Iterable[EncodedSnapshot], second: Iterable[EncodedSnapshot]) -> list[EncodedSnapshot]:
    """Both, each snapshot once, oldest first."""
    return sorted({one.id: one for one in (*first, *second)}.values(), key=lambda one: one.id)


def as_frames(messages: Iterable[EncodedSnapshot]) -> list[Frame]:
    return [Frame(*message) for message in messages]
