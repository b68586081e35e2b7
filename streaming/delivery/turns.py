"""Shares the loop by time: who has much to do works for a turn, then gives everybody else theirs."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

#: Seconds of a turn: short where others need little time (a request takes many turns), as long as theirs where they
#: need much: so a sweep gets half of the loop, whatever comes in between. Measured: with 40 clients a turn, however
#: long it took, snapshots were up to 49 s old beside a loop of reconnecting clients.
SHORTEST_S, LONGEST_S = 0.001, 0.025
#: How many steps are taken between two looks at the clock.
STEPS = 16


class Turn(NamedTuple):
    """Until when its owner may go on, on `clock`."""

    until: float
    clock: Callable[[], float]

    def has_ended(self) -> bool:
        """To be asked after what takes longer than a look at the clock."""
        return self.clock() >= self.until

    def is_over(self, step: int) -> bool:
        """To be asked after each short step, counted from 0."""
        return step % STEPS == STEPS - 1 and self.has_ended()


class Turns:
    """One worker's turns."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """`clock`: seconds, monotonic and precise."""
        self._clock = clock

    def begin(self) -> Turn:
        """The first turn."""
        return Turn(self._clock() + SHORTEST_S, self._clock)

    async def next(self) -> Turn:
        """Give everybody else a turn; the next one is as long as theirs was, within limits."""
        left = self._clock()
        await asyncio.sleep(0)
        now = self._clock()
        return Turn(now + min(max(now - left, SHORTEST_S), LONGEST_S), self._clock)
