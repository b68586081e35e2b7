"""Reads staff's choice of sources from the database at each tick.

The stream outlives the database: where it does not answer in time, the last known choice stands.

To ask has its price, a sixth of what a snapshot costs: two threads wake each other. So where a process is alone, its
history writer, which is at the database after each snapshot anyway, reads the choices for the next one. Where somebody
has switched since, that is not what holds any more, and the database is asked.
"""

import asyncio
import logging
import math
import time
from typing import Any, NamedTuple

from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models.signals import post_save

from metrics.choices import DEFAULT_CHOICES, Choices
from metrics.database_errors import explain_database_error
from metrics.database_thread import DatabaseThread
from metrics.inquiry import Inquiry
from metrics.models import DataSource, SourceSwitch

logger = logging.getLogger(__name__)

#: Seconds without an answer from the database after which it is logged.
WORTH_A_WORD_S = 2.0


class ReadChoices(NamedTuple):
    """What the database said, and when that began to be true (monotonic)."""

    choices: Choices
    asked_at: float


def read_choices() -> ReadChoices:
    """Read all rows of DataSource (blocking). Raises django.db.Error where the database fails."""
    asked_at = time.monotonic()
    return ReadChoices({**DEFAULT_CHOICES, **DataSource.read_choices()}, asked_at)


class ChoiceReader:
    """Reads the choices without ever waiting long: `current` is always there."""

    def __init__(self) -> None:
        self.current: Choices = DEFAULT_CHOICES
        self._read_at = time.monotonic()
        self._failing_since: float | None = None
        self._is_told = False
        self._thread = DatabaseThread("choices")
        # However rarely is asked, a late answer is what the database said last.
        self._inquiry = Inquiry(self._ask, keep_s=math.inf)
        self._beside: ReadChoices | None = None  # what was read beside a write, and is as new as the tick before
        self._wanted_at = math.inf  # when `read` was called last, monotonic
        self._switched_at = -math.inf  # when this process saw a switch, monotonic
        post_save.connect(self._note_switch, sender=SourceSwitch)  # as long as this reader lives

    @property
    def age_s(self) -> float:
        """Seconds since the database was asked for what is `current`, on the monotonic clock.

        Before it has told anything: since this reader was made.
        """
        return time.monotonic() - self._read_at

    def _ask(self) -> "asyncio.Future[ReadChoices]":
        return self._thread.ask(read_choices)

    def read_beside(self) -> None:
        """Called in a thread that is at the database anyway: read the choices for the next `read` (blocking).

        To be used by whoever is alone: of a switch in another process this one does not know, and takes it for what
        holds only when it is read again.
        """
        try:
            self._beside = read_choices()
        except DatabaseError:  # `read` asks, and says so
            self._beside = None

    def _note_switch(self, **_: Any) -> None:
        """Called in the thread that switches, before it commits."""
        transaction.on_commit(self._note_commit)

    def _note_commit(self) -> None:
        self._switched_at = time.monotonic()

    def _take_beside(self) -> ReadChoices | None:
        """What was read beside a write since the last `read`, and since the last switch."""
        found = self._beside
        wanted_at, self._wanted_at = self._wanted_at, time.monotonic()
        return found if found is not None and found.asked_at > max(wanted_at, self._switched_at) else None

    async def read(self, patience_s: float) -> Choices:
        """Return the choices as the database has them now, or the last known ones after `patience_s` seconds.

        What was read beside since the last time stands for now, unless somebody has switched.
        A database that takes longer each time is heard all the same: what it said to the call before is taken now. A
        read that hangs is not waited for again by later calls until it has come back.
        """
        try:
            self.current, self._read_at = self._take_beside() or await self._inquiry.answer(patience_s)
        except Exception as error:  # whatever the database does, the stream goes on; logged once, below
            self._note_failure(error)
        else:
            self._note_success()
        return self.current

    def _note_failure(self, error: Exception) -> None:
        if self._failing_since is None:
            self._failing_since = time.monotonic()
        # One late answer may be a busy machine; it is worth a word when it is an error, or lasts.
        lasts = time.monotonic() - self._failing_since > WORTH_A_WORD_S
        if not self._is_told and (lasts or not isinstance(error, TimeoutError)):
            self._is_told = True
            logger.warning(
                "The database does not tell which sources to read; the last known choice stands. %s",
                explain_database_error(error),
            )

    def _note_success(self) -> None:
        if self._failing_since is None:
            return
        away_s = time.monotonic() - self._failing_since
        is_told, self._is_told, self._failing_since = self._is_told, False, None
        if is_told:
            logger.info("The database tells again which sources to read, after %.0f s.", away_s)

    async def aclose(self) -> None:
        """Let go of the thread; a read under way is not waited for."""
        await self._inquiry.aclose()
        self._thread.close()
