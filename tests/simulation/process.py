"""A simulated process: what runs in its context, the clock on its wall, and what a signal does to it."""

import contextvars
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.loop import Handle, SimulatedLoop

#: The process that a callback belongs to; None: the world around them.
PROCESS: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("PROCESS", default=None)

#: Where all clocks begin, Unix seconds.
EPOCH = 1_735_000_000.0


class Process:
    """Everything that ends with a kill -9: its tasks, and nothing else."""

    def __init__(self, loop: "SimulatedLoop", name: str) -> None:
        self.loop = loop
        self.name = name
        self.is_running = True  # neither frozen nor dead
        self.is_dead = False
        self.clock_offset_s = 0.0
        self.steps_left = 0  # until `strike` is called
        self.strike: Callable[[], None] = lambda: None
        self.context = contextvars.copy_context()
        self.context.run(PROCESS.set, self)
        self.buried: list[Handle] = []  # what a kill has left; only the end of the simulation itself runs it
        self._arrived: list[Handle] = []
        self._due: list[Handle] = []

    def wall(self) -> float:
        """Unix seconds, as this process has them."""
        return EPOCH + self.loop.now + self.clock_offset_s

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run `coroutine` in this process."""
        self.loop.create_task(coroutine, context=self.context.copy())

    def soon(self, callback: Callable[..., Any], *args: Any) -> None:
        """Have this process call back, when it next can."""
        self.loop.call_soon(callback, *args, context=self.context)

    def hold(self, handle: "Handle") -> None:
        """Keep a callback until this process goes on; that of a dead one never comes."""
        if self.is_dead:
            self.buried.append(handle)
        else:
            (self._due if handle.is_timer else self._arrived).append(handle)

    def kill(self) -> None:
        """SIGKILL."""
        self.is_dead = True
        self.is_running = False
        self.buried += self._arrived + self._due

    def bury(self) -> "list[Handle]":
        """What never came; and nothing comes any more."""
        self.kill()
        return self.buried

    def freeze(self) -> None:
        """SIGSTOP."""
        self.is_running = False

    def thaw(self) -> None:
        """SIGCONT: what came meanwhile is there first, then the timers are late."""
        if self.is_dead or self.is_running:
            return
        self.is_running = True
        self.loop.put_back(self._arrived)
        self.loop.put_back(sorted(self._due, key=lambda handle: handle.when))
        self._arrived, self._due = [], []

    def after_steps(self, steps: int, strike: Callable[[], None]) -> None:
        """Call `strike` when this process is about to take its `steps`-th step from now on: at any of its awaits."""
        self.steps_left, self.strike = max(steps, 1), strike
