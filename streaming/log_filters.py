"""Keeps logs free of secrets, and of what is said elsewhere.

Libraries log addresses; those of share links, and a token that somebody put into an address, open a door.
"""

import logging
import re
from http import HTTPStatus
from typing import Final

#: What lets in whoever reads it: what follows the group stays out of logs.
SECRETS: Final = re.compile(r"(/share/|qtd_)[A-Za-z0-9_%-]+")


class DiscreetFormatter(logging.Formatter):
    """Writes a line, with its traceback if it has one, without the secrets of share links and tokens."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return SECRETS.sub(r"\1…", super().format(record))


class SaidElsewhere(logging.Filter):
    """Drops Django's line for each 401 and 503: who is answered so polls, and what is wrong was said when it began."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the answer was another one."""
        return getattr(record, "status_code", None) not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE}
