"""A thread that does one piece of work after the other for an event loop, and keeps no process from ending.

It is a daemon, so that nothing that hangs delays the end of the process: CPython waits for the threads of an executor,
however long they take.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar
from weakref import WeakSet

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Those that were closed and may not have ended yet.
_closed: "WeakSet[DaemonThread]" = WeakSet()


class Call(NamedTuple):
    """One piece of work, and where its outcome is awaited; None: nowhere."""

    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop | None = None
    answer: "asyncio.Future[Any] | None" = None


class DaemonThread:
    """Starts with the first piece of work."""

    def __init__(self, name: str) -> None:
        """`name`: what it is for; shown by debuggers and `top -H`."""
        self._name = name
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._answers: set[asyncio.Future[Any]] = set()  # that somebody waits for
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def ask(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Do `work` (blocking) in the thread, after what others have asked before; what comes is what it returns.

        Where whoever waits is cancelled, the work is done all the same. What it raises is raised. Once the thread is
        closed, and where that happens meanwhile, it is what `make_farewell` says.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        if self._is_closed:
            answer.set_exception(self.make_farewell())
            return answer
        self._answers.add(answer)
        self._put(Call(work, loop, answer))
        return answer

    def tell(self, work: Callable[[], None]) -> None:
        """Do `work` (blocking) in the thread, after what was asked before. Nobody is woken, or told what came of it.

        Once the thread is closed it is not done.
        """
        if not self._is_closed:
            self._put(Call(work))

    def _put(self, call: Call) -> None:
        self._calls.put(call)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def do(self, work: Callable[[], T]) -> T:
        """Called in the thread: do `work`."""
        return work()

    def finish(self) -> None:
        """Called in the thread when it is closed: let go of what only it may let go of."""

    def make_farewell(self) -> Exception:
        """What those are told whose work is not done."""
        return RuntimeError(f"{self._name} is closed: this process ends")

    def _run(self) -> None:
        try:
            while True:
                call = self._calls.get()
                if call is None or self._is_closed:
                    return
                self._do(call)
                del call  # and with it the answer, until the next one comes
        finally:
            self.finish()

    def _do(self, call: Call) -> None:
        """Called in the thread."""
        if call.loop is None or call.answer is None:
            try:
                self.do(call.work)
            except Exception as error:  # whatever it is: the thread goes on
                logger.debug("What %s was told came to nothing: %s", self._name, error)
            return
        settle: Callable[[Any], None]
        try:
            settle, outcome = call.answer.set_result, self.do(call.work)
        except BaseException as error:
            settle, outcome = call.answer.set_exception, error
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            call.loop.call_soon_threadsafe(self._settle, call.answer, settle, outcome)

    def _settle(self, answer: "asyncio.Future[Any]", settle: Callable[[Any], None], outcome: Any) -> None:
        """Called in the loop that `answer` is awaited in."""
        self._answers.discard(answer)
        if not answer.done():
            settle(outcome)

    def close(self) -> None:
        """Begin no more work; what is under way is not waited for."""
        self._is_closed = True
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(self.make_farewell())
        self._answers.clear()
        self._calls.put(None)
        _closed.add(self)

    def join(self, within_s: float) -> None:
        """Wait until the thread has ended; for `within_s` seconds at most (blocking)."""
        if self._thread is not None:
            self._thread.join(within_s)


def join_closed(within_s: float) -> None:
    """Wait until all that were closed have ended, for `within_s` seconds at most (blocking).

    To be called before the process ends: a daemon that still closes its connection while Python takes itself apart can
    make it crash.
    """
    deadline = time.monotonic() + within_s
    for thread in tuple(_closed):
        thread.join(max(deadline - time.monotonic(), 0.0))
