"""Ticks at a fixed rate."""

import asyncio
import math
from collections.abc import AsyncIterator


class Ticker:
    """Yields at start, then every `interval_s` seconds of the monotonic clock, without drift.

    A tick whose time passed while the last one was still being worked on is skipped and counted in `missed`; ticks are
    never bunched to make up for it.
    """

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self.missed = 0

    async def __aiter__(self) -> AsyncIterator[int]:
        """Yield the tick's number (missed ones count)."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        tick = 0
        while True:
            yield tick
            due = max(tick + 1, math.ceil((loop.time() - start) / self.interval_s))
            self.missed += due - tick - 1
            tick = due
            await asyncio.sleep(start + tick * self.interval_s - loop.time())
