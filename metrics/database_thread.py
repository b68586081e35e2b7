"""A thread that asks the database, on a connection of its own that stays open.

Whoever asks the database from the event loop has one: what hangs there holds up nobody else.
"""

from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError

from metrics.daemon_thread import DaemonThread
from metrics.kept_connection import KeptConnection

T = TypeVar("T")


class DatabaseThread(DaemonThread):
    """What is asked of it may raise django.db.Error; once it is closed, that is InterfaceError, which is one of them.

    On a connection that broke while it was idle work is done again, so it must be able to bear that.
    """

    def __init__(self, name: str) -> None:
        """`name`: what it is for; shown by debuggers and `top -H`."""
        super().__init__(name)
        self._connection = KeptConnection()

    def do(self, work: Callable[[], T]) -> T:
        """Do `work` on the connection that is kept."""
        return self._connection.run(work)

    def finish(self) -> None:
        """Close the connection: only this thread may."""
        self._connection.close()

    def make_farewell(self) -> InterfaceError:
        """One of django.db.Error."""
        return InterfaceError(f"{self._name} is closed: this process ends")
