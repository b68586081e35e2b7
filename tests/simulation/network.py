"""The ways between processes: how long they take, what they lose, and what they deliver when nobody expects it."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

from tests.simulation.loop import SimulatedLoop


class Path:
    """Between a process and a server that it asks. Where all is well, one way takes up to two milliseconds."""

    def __init__(self, loop: SimulatedLoop, chance: random.Random) -> None:
        self.loop = loop
        self.chance = chance
        self.loss = 0.0  # how likely one way loses what it carries
        self.longest_s = 0.0  # how much longer it may take, where it is disturbed

    def delay_s(self) -> float:
        """How long one way takes now."""
        delay = 0.0001 + 0.002 * self.chance.random()
        if self.longest_s and self.chance.random() < 0.5:
            delay += self.longest_s * self.chance.random()
        return delay

    def is_lost(self) -> bool:
        return self.loss > 0 and self.chance.random() < self.loss


class Question:
    """One, on its way to a server and back. A server calls `settle`, or never."""

    __slots__ = ("_answer", "_path", "asker", "work")

    def __init__(self, path: Path, work: Callable[[], Any], asker: str) -> None:
        self.work = work
        self.asker = asker
        self._path = path
        self._answer: asyncio.Future[Any] = path.loop.create_future()

    async def ask(self, receive: Callable[["Question"], None]) -> Any:
        """Send it to whom `receive` belongs, and wait for the answer, for as long as it takes. Raises what comes."""
        path = self._path
        if path.is_lost():
            if path.chance.random() < 0.5:
                raise RedisConnectionError("Connection reset by peer")
        else:
            path.loop.later(path.delay_s(), receive, self)
        return await self._answer

    def settle(self, result: Any, error: Exception | None = None) -> None:
        """Send the answer back."""
        path = self._path
        if path.is_lost():
            if path.chance.random() < 0.5:
                return
            error = RedisConnectionError("Connection reset by peer")
        path.loop.later(path.delay_s(), self._arrive, result, error)

    def _arrive(self, result: Any, error: Exception | None) -> None:
        if self._answer.done():
            return
        if error is not None:
            self._answer.set_exception(error)
        else:
            self._answer.set_result(result)
