"""An event loop whose time is simulated: where nothing is left to do, it is at once as late as the next timer.

It runs the tasks of all simulated processes. What belongs to which is told by the context in which it runs. Whoever is
frozen has its callbacks kept until it goes on; of whoever is killed none runs any more, not even a `finally`.
"""

import asyncio
import contextvars
import heapq
import random
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from tests.simulation.process import PROCESS, Process

#: Steps after which a schedule is taken for one that does not end.
MOST_STEPS = 400_000


class EndlessError(AssertionError):
    """The simulated processes do not come to rest."""


class Handle:
    """A callback that waits for its turn; asyncio's own in short."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "is_timer", "process", "when")

    def __init__(
        self, callback: Callable[..., Any], args: tuple[Any, ...], context: contextvars.Context | None, when: float
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = contextvars.copy_context() if context is None else context
        self.process: Process | None = self.context.get(PROCESS)
        self.is_cancelled = False
        self.is_timer = when >= 0
        self.when = when

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled


class SimulatedLoop(asyncio.AbstractEventLoop):
    """As much of an event loop as tasks, futures and timeouts need: no sockets, no threads.

    What asyncio leaves open is drawn from `chance`: which of the timers that are due at the same moment is first.
    """

    def __init__(self, chance: random.Random) -> None:
        self.now = 0.0
        self.steps = 0
        self.tasks: list[asyncio.Task[Any]] = []
        self.failures: list[str] = []
        self._draw = chance.random
        self._outside = contextvars.Context()
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, float, int, Handle]] = []
        self._number = 0

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Handle:  # type: ignore[override]
        handle = Handle(callback, args, context, -1.0)
        self._ready.append(handle)
        return handle

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Handle:  # type: ignore[override]
        handle = Handle(callback, args, context, when)
        self._number += 1
        heapq.heappush(self._timers, (when, self._draw(), self._number, handle))
        return handle

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Handle:  # type: ignore[override]
        return self.call_at(self.now + max(delay, 0), callback, *args, context=context)

    def later(self, delay: float, callback: Callable[..., Any], *args: Any) -> None:
        """Have the world call back, whatever becomes of the process that asks for it."""
        self.call_at(self.now + delay, callback, *args, context=self._outside)

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: contextvars.Context | None = None
    ) -> "asyncio.Task[Any]":
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self.tasks.append(task)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What asyncio says of a task that nobody asked; one that a kill has left behind is none."""
        error = context.get("exception")
        if error is not None:
            self.failures.append(f"{context.get('message')}: {error!r}")

    def run_until(self, end: float) -> None:
        """Run everything that is due until the time `end`. Raises EndlessError, and what a callback raises."""
        ready, timers = self._ready, self._timers
        asyncio._set_running_loop(self)
        try:
            while True:
                self._run_ready(ready)
                if not timers or timers[0][0] > end:
                    break
                self.now = max(self.now, timers[0][0])
                while timers and timers[0][0] <= self.now:
                    ready.append(heapq.heappop(timers)[3])
            self.now = max(self.now, end)
        finally:
            asyncio._set_running_loop(None)

    def _run_ready(self, ready: deque[Handle]) -> None:
        while ready:
            handle = ready.popleft()
            if handle.is_cancelled:
                continue
            process = handle.process
            if process is not None:
                if not process.is_running:
                    process.hold(handle)
                    continue
                if process.steps_left:
                    process.steps_left -= 1
                    if not process.steps_left:
                        ready.appendleft(handle)
                        process.strike()
                        continue
            self.steps += 1
            handle.context.run(handle.callback, *handle.args)
        if self.steps > MOST_STEPS:
            raise EndlessError(f"no rest after {self.steps} steps, at {self.now:.3f} s")

    def put_back(self, handles: list[Any]) -> None:
        """Have run what was kept while a process was frozen."""
        self._ready.extend(handles)

    def end(self, buried: list[Handle]) -> None:
        """Cancel all tasks, those of killed processes, too, and let them end: nothing is left for the next schedule.

        `buried`: callbacks that killed processes have left.
        """
        self._timers.clear()
        self._ready.extend(buried)
        asyncio._set_running_loop(self)
        try:
            for _ in range(20):
                left = [task for task in self.tasks if not task.done()]
                if not left:
                    break
                for task in left:
                    task.cancel()
                while self._ready:
                    handle = self._ready.popleft()
                    if not handle.is_cancelled:
                        with suppress(Exception):
                            handle.context.run(handle.callback, *handle.args)
        finally:
            asyncio._set_running_loop(None)
        for task in self.tasks:
            with suppress(asyncio.CancelledError, asyncio.InvalidStateError):
                task.exception()
        self.tasks.clear()
