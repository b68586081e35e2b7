"""Reads staff's choice of sources from the database at each tick.

The stream outlives the database: where it does not answer in time, the last known choice stands.

To ask costs 0.2 of a snapshot's 1.5 ms of CPU: two threads wake each other. So where a process is alone, its history
writer, which is at the database after each snapshot anyway, reads the choices for the next one. Where somebody has
switched since, that is not what holds any more, and the database is asked. What is changed in another way than by this
process's admin (by hand, in SQL) is in effect one snapshot later, after BESIDE_FOR_S seconds at most.
"""

import asyncio
import logging
import math
import time
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models.signals import post_save

from metrics.choices import DEFAULT_CHOICES, Choices
from metrics.database_errors import explain_database_error
from metrics.database_thread import DatabaseThread
from metrics.inquiry import Inquiry
from metrics.models import DataSource, SourceSwitch

logger = logging.getLogger(__name__)

#: Seconds for which the choices that were read beside a write hold.
BESIDE_FOR_S = 5.0
#: Seconds after which reading them there has held up history; after that, or a failure, nothing is read so for a while.
BESIDE_SLOW_S, BESIDE_PAUSE_S = 0.5, 60.0
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
        self._beside: ReadChoices | None = None  # what was read beside the last write
        self._beside_from = -math.inf  # no sooner is anything read beside a write, monotonic
        self._wanted_at = math.inf  # when `read` was called last, monotonic
        self._switched_at = -math.inf  # when this process saw a switch, monotonic
        post_save.connect(self._note_switch, sender=SourceSwitch)  # as long as this reader lives

    @property
    def age_s(self) -> float:
        """Seconds since the database was asked last and said what is `current`, on the monotonic clock.

        Before it has told anything: since this reader was made.
        """
        beside, said_at = self._beside, self._read_at
        if beside is not None and beside.choices == self.current:
            said_at = max(said_at, beside.asked_at)
        return time.monotonic() - said_at

    def _ask(self) -> "asyncio.Future[ReadChoices]":
        return self._thread.ask(read_choices)

    def read_beside(self) -> None:
        """Called in a thread that is at the database anyway: read the choices for the next `read` (blocking).

        To be used by whoever is alone: of a switch in another process this one does not know. Raises nothing.
        """
        began = time.monotonic()
        if began < self._beside_from:
            return
        try:
            self._beside = read_choices()
        except Exception:  # whatever it is: `read` asks, and says so
            self._beside = None
        if self._beside is None or time.monotonic() - began > BESIDE_SLOW_S:
            self._beside_from = began + BESIDE_PAUSE_S

    def _note_switch(self, **_: Any) -> None:
        """Called in the thread that switches, before it commits."""
        transaction.on_commit(self._note_commit)

    def _note_commit(self) -> None:
        self._switched_at = max(self._switched_at, time.monotonic())

    def _take_beside(self) -> ReadChoices | None:
        """What was read beside a write since the last `read`, since the last switch, and not long ago."""
        found, now = self._beside, time.monotonic()
        wanted_at, self._wanted_at = self._wanted_at, now
        oldest_at = max(wanted_at, self._switched_at, now - BESIDE_FOR_S)
        return found if found is not None and found.asked_at > oldest_at else None

    async def read(self, patience_s: float) -> Choices:
        """Return the choices as the database has them now, or the last known ones after `patience_s` seconds.

        What was read beside since the last time stands for now, unless somebody has switched. A database that takes
        longer each time is heard all the same: what it said to the call before is taken now. A read that hangs is not
        waited for again by later calls until it has come back.
        """
        try:
            found = self._take_beside() or await self._inquiry.answer(patience_s)
            if found.asked_at < self._read_at:
                raise TimeoutError("no answer in time, but a late one that is older than what is known")
            self.current, self._read_at = found
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
