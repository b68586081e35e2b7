"""Reads staff's choice of sources from the database at each tick.

The stream outlives the database: where it does not answer in time, the last known choice stands.
"""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor

from django.db import close_old_connections

from metrics.choices import DEFAULT_CHOICES, Choices
from metrics.inquiry import Inquiry
from metrics.models import DataSource

logger = logging.getLogger(__name__)

#: Seconds without an answer from the database after which it is logged.
WORTH_A_WORD_S = 2.0


def read_choices() -> Choices:
    """Read all rows of DataSource (blocking). Raises django.db.Error where the database fails."""
    close_old_connections()
    try:
        return {**DEFAULT_CHOICES, **DataSource.read_choices()}
    finally:
        close_old_connections()


class ChoiceReader:
    """Reads the choices without ever waiting long: `current` is always there."""

    def __init__(self) -> None:
        self.current: Choices = DEFAULT_CHOICES
        self._failing_since: float | None = None
        self._is_told = False
        # A thread of its own: a database that hangs takes nobody else's thread with it.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="choices")
        self._inquiry = Inquiry(self._ask)

    async def _ask(self) -> Choices:
        return await asyncio.get_running_loop().run_in_executor(self._executor, read_choices)

    async def read(self, patience_s: float) -> Choices:
        """Return the choices as the database has them now, or the last known ones after `patience_s` seconds.

        A read that hangs is not waited for again by later calls until it has come back.
        """
        try:
            self.current = await self._inquiry.answer(patience_s)
        except Exception as error:  # whatever the database does, the stream goes on; logged once, below
            self._failing_since = self._failing_since or time.monotonic()
            # One late answer may be a busy machine; it is worth a word when it is an error, or lasts.
            lasts = time.monotonic() - self._failing_since > WORTH_A_WORD_S
            if not self._is_told and (lasts or not isinstance(error, TimeoutError)):
                self._is_told = True
                logger.warning(
                    "The database does not tell which sources to read (%s); the last known choice stands.",
                    str(error) or type(error).__name__,
                )
        else:
            if self._failing_since is not None:
                away_s = time.monotonic() - self._failing_since
                is_told, self._is_told, self._failing_since = self._is_told, False, None
                if is_told:
                    logger.info("The database tells again which sources to read, after %.0f s.", away_s)
        return self.current

    async def aclose(self) -> None:
        """Let go of the thread; a read under way is not waited for."""
        await self._inquiry.aclose()
        self._executor.shutdown(wait=False, cancel_futures=True)
