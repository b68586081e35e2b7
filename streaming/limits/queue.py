"""A queue before something that only a few may do at once."""

import asyncio
from types import TracebackType


class QueueFullError(Exception):
    """Too many wait already."""


class Queue:
    """`async with queue:` waits for its turn. Raises QueueFullError where too many wait already."""

    def __init__(self, at_once: int, waiting: int) -> None:
        """`at_once`: how many have their turn together. `waiting`: how many may wait for it."""
        self._free = asyncio.Semaphore(at_once)
        self._most_waiting = waiting
        self._waiting = 0

    async def __aenter__(self) -> None:
        if self._free.locked() and self._waiting >= self._most_waiting:
            raise QueueFullError
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free.release()
