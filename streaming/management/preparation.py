"""Prepares the database for a server that starts: its tables, and a first staff user.

A server starts without: the stream needs no database, and one that is away now is prepared when it is back. Of several
servers that start at once one prepares while the others wait for it (alone.py).
"""

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import Error as DatabaseError
from django.db import connections

from metrics.database_errors import explain_database_error
from metrics.kept_connection import find_sqlite_file
from streaming.management.alone import alone

logger = logging.getLogger(__name__)

#: Seconds that a server waits for its database before it starts without.
PATIENCE_S = 10.0
#: Seconds until a failed preparation is tried again.
RETRY_S = 3.0
#: Where the first staff user's password is to be read, once.
PASSWORD_FILE = "first-password"  # noqa: S105 - the file's name


class Preparation:
    """Prepares the database in a thread of its own, again and again until that is done."""

    def __init__(self, show: Callable[[str], None]) -> None:
        """`show`: called with what the person who starts the server must see."""
        self._show = show
        self._tried = threading.Event()
        self._thread = threading.Thread(target=self._run, name="preparation", daemon=True)
        self.is_done = False

    def begin(self) -> None:
        """Begin; return when the database is prepared, cannot be for now, or hangs (after PATIENCE_S)."""
        self._thread.start()
        if not self._tried.wait(PATIENCE_S):
            self._show(f"The database is not prepared after {PATIENCE_S:g} s; starting without. It goes on meanwhile.")

    def _run(self) -> None:
        began = time.monotonic()
        told = ""
        while not self.is_done:
            try:
                prepare(self._show)
            except (DatabaseError, OSError) as error:
                reason = explain_database_error(error)
                if reason != told:
                    told = reason
                    self._show(f"The database cannot be prepared yet: {reason}. Starting without, and trying again.")
                self._tried.set()
                time.sleep(RETRY_S)
            else:
                self.is_done = True
                if told:
                    logger.info("The database is prepared, after %.0f s.", time.monotonic() - began)
                self._tried.set()


def prepare(show: Callable[[str], None]) -> None:
    """Migrate, and create a first staff user (blocking); this thread has no connection afterwards.

    Raises django.db.Error, and OSError where the folder of an SQLite file cannot be opened.
    """
    try:
        call_command("migrate", verbosity=0)
        with alone():
            create_first_user(show)
    finally:
        connections.close_all()


def create_first_user(show: Callable[[str], None]) -> None:
    """Create a superuser where there is no staff yet, from Django's DJANGO_SUPERUSER_* variables (README: Run it).

    A password that is made here goes into a file for its owner: what is shown may end in a journal that others read.
    Raises OSError where that file cannot be written; then there is no user either.
    """
    users = get_user_model().objects
    if users.filter(is_staff=True).exists():
        return
    name = os.environ.get("DJANGO_SUPERUSER_USERNAME") or "admin"
    password = settings.FIRST_PASSWORD
    where = "is the one in DJANGO_SUPERUSER_PASSWORD"
    if not password:
        password = secrets.token_urlsafe(12)
        path = write_password(password)
        where = f"is in {path}, which only its owner can read: delete it when you have it"
    users.create_superuser(name, os.environ.get("DJANGO_SUPERUSER_EMAIL") or "", password)
    show(f"First staff user: {name}. The password {where}.")


def write_password(password: str) -> Path:
    """Write `password` into a new file beside the SQLite file, else beside the journal; its path. Raises OSError."""
    path = (find_sqlite_file() or settings.STREAM_JOURNAL).parent / PASSWORD_FILE
    path.unlink(missing_ok=True)  # of another database, or of a try that failed
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w") as file:
        file.write(f"{password}\n")
    return path.absolute()
