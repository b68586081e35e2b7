"""Ticks at a fixed rate."""

import asyncio
import math
from collections.abc import AsyncIterator


class Ticker:
    """Yields at start, then every `interval_s` seconds of the monotonic clock, without drift.

    A tick whose time passed while the last one was still being worked on is skipped and counted in `missed`; ticks are
    never bunched to make up for it. Where it is told to hurry, the next tick is now, and the others follow from there.
    """

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self.missed = 0
        self._is_hurried = False
        self._next: asyncio.Future[None] | None = None  # the tick that is waited for

    def hurry(self) -> None:
        """Have the next tick now; while one is being worked on this does nothing."""
        self._is_hurried = True
        self._begin()

    def _begin(self) -> None:
        if self._next is not None and not self._next.done():
            self._next.set_result(None)

    async def __aiter__(self) -> AsyncIterator[int]:
        """Yield the tick's number (missed ones count)."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        tick = 0
        while True:
            yield tick
            self._is_hurried = False
            due = max(tick + 1, math.ceil((loop.time() - start) / self.interval_s))
            self.missed += due - tick - 1
            tick = due
            self._next = loop.create_future()
            timer = loop.call_at(start + tick * self.interval_s, self._begin)
            try:
                await self._next
            finally:
                timer.cancel()
                self._next = None
            if self._is_hurried:
                start = loop.time() - tick * self.interval_s
