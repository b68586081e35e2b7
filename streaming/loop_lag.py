"""How long this process's event loop keeps others waiting."""

import asyncio
from collections import deque

#: Seconds between two looks, and how many looks are remembered: the last half minute.
EVERY_S, REMEMBERED = 0.5, 60


class LoopLag:
    """Measures, from a task of its own, how late the loop wakes it."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque([0.0], maxlen=REMEMBERED)

    @property
    def longest_s(self) -> float:
        """The longest that anybody had to wait for a turn in the last half minute, in seconds, as far as was seen."""
        return max(self._lags)

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self._lags.append(max(loop.time() - due, 0.0))
