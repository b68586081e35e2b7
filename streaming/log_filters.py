"""Keeps libraries' logs readable: a state is said once, not every second with a traceback."""

import logging
import time


class OncePerMinute(logging.Filter):
    """Lets each message of a logger through once a minute, as one line that names the error."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say the exception in the line itself, and whether the line is due."""
        now = time.monotonic()
        if now - self._said.get(record.msg, -60.0) < 60.0:
            return False
        self._said[record.msg] = now
        if record.exc_info and record.exc_info[1] is not None:
            record.msg = f"{record.getMessage().rstrip(':')}: {record.exc_info[1]} (told once a minute)"
            record.args, record.exc_info, record.exc_text = (), None, None
        return True
