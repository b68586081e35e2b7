"""Makes sure that a process which was told to end does end, whatever hangs."""

import logging
import os
import threading

logger = logging.getLogger(__name__)

#: Seconds that a process has to end after its clients were sent away.
LAST_S = 3.0


def end_within(seconds: float) -> threading.Timer:
    """End this process `seconds` from now if it has not ended by then; returns the timer, which may be cancelled.

    A call that hangs in a thread (a database that does not answer, a file system that is gone) keeps Python from
    ending: it joins its threads. What is not in the database by then is in the journal.
    """

    def end() -> None:
        logger.warning("Something hangs: ending without waiting for it any longer.")
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer
