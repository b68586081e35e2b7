"""Keeps logs readable, and free of secrets.

What is no defect of ours is said once a minute, in a line, not with a traceback. Libraries log addresses; those of
share links, and a token that somebody put into an address, open a door.
"""

import logging
import re
from asyncio import CancelledError
from http import HTTPStatus
from time import monotonic
from typing import Final

from redis.exceptions import RedisError

EVERY_S: Final = 60.0

#: What libraries log again and again for reasons outside of this program, and the exceptions that are such reasons.
NOISE: Final[dict[str, tuple[type[BaseException], ...]]] = {
    # uvicorn: strangers may send these as often as they like
    "Invalid UTF-8 sequence received from client.": (UnicodeDecodeError,),
    "Invalid HTTP request received.": (),
    "Unsupported upgrade request.": (),
    # uvicorn: what still runs when somebody presses Ctrl-C twice, for each of the clients
    "Exception in ASGI application\n": (CancelledError,),
    "Exception in 'lifespan' protocol\n": (CancelledError,),
    # channels_redis: each second while Redis is away
    "Unexpected exception in receive task": (RedisError, OSError, TimeoutError),
    "Unexpected exception while cleaning-up channel:": (RedisError, OSError, TimeoutError),
}


class OncePerMinute(logging.Filter):
    """Lets each message of NOISE through once a minute, as one line that names the error.

    Everything else passes as it is, each time: an exception of another kind, even under the same message, is a defect,
    and its traceback is what finds it. What is remembered is as long as NOISE, whatever anybody sends.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is due; where it is one of NOISE, the line itself then says the exception."""
        message = str(record.msg)
        error = record.exc_info[1] if record.exc_info else None
        if message not in NOISE or not (error is None or isinstance(error, NOISE[message])):
            return True
        now = monotonic()
        if now - self._said.get(message, -EVERY_S) < EVERY_S:
            return False
        self._said[message] = now
        if error is not None:
            why = str(error) or type(error).__name__
            record.msg = f"{message.strip().rstrip(':')}: {why} (told once a minute)"
            record.args, record.exc_info, record.exc_text = (), None, None
        return True


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
