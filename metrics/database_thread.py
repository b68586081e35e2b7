"""A thread that asks the database, on a connection of its own that stays open.

Whoever asks the database from the event loop has one: what hangs there holds up nobody else. It is a daemon, so that
nothing that hangs delays the end of the process: CPython waits for the threads of an executor, however long they take.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from django.db import InterfaceError

from metrics.kept_connection import KeptConnection

T = TypeVar("T")


class DatabaseThread:
    """Does one piece of work after the other. The thread starts with the first one."""

    def __init__(self, name: str) -> None:
        """`name`: what it is for; shown by debuggers and `top -H`."""
        self._name = name
        self._calls: SimpleQueue[Callable[[KeptConnection], None]] = SimpleQueue()
        self._answers: set[asyncio.Future[Any]] = set()  # that somebody waits for
        self._thread: threading.Thread | None = None
        self._is_closed = False

    async def ask(self, work: Callable[[], T]) -> T:
        """Do `work` (blocking) in the thread, after what others have asked before, and return what it returns.

        Where whoever waits is cancelled, the work is done all the same. What it raises is raised: django.db.Error. On a
        connection that broke while it was idle it is done again, so it must be able to bear that. Once the thread is
        closed, and where that happens meanwhile, InterfaceError is raised, one of django.db.Error.
        """
        if self._is_closed:
            raise self._make_farewell()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

        def call(connection: KeptConnection) -> None:
            try:
                settle: tuple[Any, ...] = (set_result, answer, connection.run(work))
            except BaseException as error:
                settle = (set_exception, answer, error)
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(*settle)

        self._calls.put(call)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        return await answer

    def _run(self) -> None:
        connection = KeptConnection()
        try:
            while True:
                call = self._calls.get()
                if self._is_closed:
                    return
                call(connection)
                del call  # and with it the answer, until the next one comes
        finally:
            connection.close()

    def _make_farewell(self) -> InterfaceError:
        return InterfaceError(f"{self._name} is closed: this process ends")

    def close(self) -> None:
        """Begin no more work; what is under way is not waited for."""
        self._is_closed = True
        for answer in tuple(self._answers):
            set_exception(answer, self._make_farewell())
        self._calls.put(lambda _: None)


def set_result(answer: "asyncio.Future[T]", result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def set_exception(answer: "asyncio.Future[T]", error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)
