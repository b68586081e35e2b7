"""Asks something that may hang, at most once at a time, and waits for the answer only so long."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Inquiry(Generic[T]):
    """One question to a database, a Redis or a device, asked again only when the last one was answered.

    However many callers there are and however long the answer takes, one call is under way at most, so that whatever
    hangs holds one task and one thread, not a growing number of them.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._task: asyncio.Task[T] | None = None
        self._overdue = False

    async def _run(self) -> T:
        return await self._ask()

    async def answer(self, patience_s: float) -> T:
        """Return the answer; the call under way, if there is one, is shared.

        Raises TimeoutError after `patience_s` seconds (at once when an earlier caller has waited in vain for this very
        call), and whatever the question itself raises.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(_retrieve)
            self._overdue = False
        done, _ = await asyncio.wait([self._task], timeout=0 if self._overdue else patience_s)
        if not done:
            self._overdue = True
            raise TimeoutError("no answer in time")
        return self._task.result()

    async def aclose(self) -> None:
        """Cancel a call under way and wait for its end."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1)


def _retrieve(task: asyncio.Task[T]) -> None:
    """Mark a late failure as seen: nobody may be waiting for it any more, and the next call will say it again."""
    if not task.cancelled():
        task.exception()
