"""Keeps logs free of secrets, and of what is said elsewhere.

Libraries log addresses; those of share links, and a token that somebody put into an address, open a door.
"""

import logging
import os
import re
from http import HTTPStatus
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from typing import Final

from pythonjsonlogger import json

from metrics.private_files import keep_private

#: What lets in whoever reads it: what follows the group stays out of logs.
SECRETS: Final = re.compile(r"(/share/|qtd_)[A-Za-z0-9_%-]+")


class DiscreetFormatter(logging.Formatter):
    """Writes a line, with its traceback if it has one, without the secrets of share links and tokens."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return SECRETS.sub(r"\1…", super().format(record))


class JsonFormatter(json.JsonFormatter):
    """Writes the same as a JSON object: whoever logs with `extra` adds keys, `snapshot` being a snapshot's id."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return SECRETS.sub(r"\1…", super().format(record))


class PrivateFileHandler(WatchedFileHandler):
    """Writes to a file that only its owner reads; log rotation may move it away."""

    def _open(self) -> TextIOWrapper:
        """Open the file, whoever made it, or make it."""
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        keep_private(self.baseFilename)
        return open(descriptor, self.mode, encoding=self.encoding, errors=self.errors)  # type: ignore[return-value]


class SaidElsewhere(logging.Filter):
    """Drops Django's line for each 401 and 503: who is answered so polls, and what is wrong was said when it began."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the answer was another one."""
        return getattr(record, "status_code", None) not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE}
