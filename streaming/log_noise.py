"""Keeps what strangers and failing neighbours can cause again and again from filling the log.

Each kind of it is said at once, in one line without a traceback; what follows is counted, and the count is told once a
minute, also when nothing follows. What is kept is as long as the list of kinds below, whatever anybody sends.
"""

import copy
import logging
import re
from asyncio import CancelledError
from contextlib import suppress
from threading import Timer
from typing import Any, Final, NamedTuple

from django.core.exceptions import SuspiciousOperation
from h11 import LocalProtocolError
from redis.exceptions import RedisError
from websockets.exceptions import InvalidState

EVERY_S: Final = 60.0
#: Characters of a line: it may hold what a stranger wrote.
LONGEST: Final = 300


class Noise(NamedTuple):
    """A kind of lines: of a logger and those below it, up to a level, whose message matches.

    Where such a line has an exception, it is one of `errors`: any other kind, even under the same message, is a defect,
    and its traceback is what finds it. `name`: what such lines are about, in the line that counts them, and where their
    own first line does not say it.
    """

    name: str
    logger: str
    pattern: str = ""
    errors: tuple[type[BaseException], ...] = ()
    highest: int = logging.ERROR

    def covers(self, record: logging.LogRecord) -> bool:
        """Whether a line is of this kind."""
        error = record.exc_info[1] if record.exc_info else None
        return (
            f"{record.name}.".startswith(f"{self.logger}.")
            and record.levelno <= self.highest
            and (error is None or isinstance(error, self.errors))
            and re.match(self.pattern, str(record.msg), re.DOTALL) is not None
        )


AWAY: Final = (RedisError, OSError, TimeoutError)
NOISE: Final = (
    Noise("Requests for another host", "django.security.DisallowedHost", errors=(SuspiciousOperation,)),
    Noise("Forms without this site's token", "django.security.csrf"),
    Noise("Suspicious requests", "django.security", errors=(SuspiciousOperation,)),
    Noise("Requests for what there is not", "django.request", "%s: %s$", highest=logging.WARNING),
    Noise("WebSockets from other pages", "streaming.delivery.origin", "Refused a WebSocket from a page"),
    Noise("WebSockets for another host", "streaming.delivery.origin", "Refused a WebSocket for"),
    Noise("WebSockets without TLS", "streaming.delivery.origin", "Refused a WebSocket without TLS"),
    Noise("Messages that are not UTF-8", "uvicorn.error", "Invalid UTF-8 sequence", (UnicodeDecodeError,)),
    Noise("Invalid HTTP requests", "uvicorn.error", "Invalid HTTP request"),
    Noise("Unsupported upgrade requests", "uvicorn.error", "Unsupported upgrade request"),
    # Faults of uvicorn that end the connection they happen on, and no other: see docs/security.md.
    Noise("A request that broke off after its answer", "asyncio", "Fatal error", (LocalProtocolError,)),
    Noise("A WebSocket that sent on after it was closed", "asyncio", "Fatal error", (InvalidState,)),
    # Daphne logs tracebacks as texts.
    Noise("A request with bytes that are no text", "daphne", "Traceback.*\nUnicode(De|En)codeError: [^\n]*\\s*$"),
    # uvicorn: what still runs when somebody presses Ctrl-C twice, for each of the clients
    Noise("Connections that were cut off", "uvicorn.error", "Exception in (ASGI|'lifespan')", (CancelledError,)),
    # channels_redis: each second while Redis is away
    Noise("Failures to receive from Redis", "channels_redis", "Unexpected exception in receive task", AWAY),
    Noise("Failures to clean up in Redis", "channels_redis", "Unexpected exception while cleaning-up", AWAY),
)
#: Loggers whose lines do not say by themselves what they are about.
CRYPTIC: Final = ("asyncio", "daphne")


class NoiseHandler(logging.StreamHandler[Any]):
    """Writes lines to a stream; of each kind of NOISE the first, then once in `every_s` seconds how many more came.

    Whatever is not noise passes as it is, each time.
    """

    def __init__(self, stream: Any = None, every_s: float = EVERY_S) -> None:
        super().__init__(stream)
        self._every_s = every_s
        self._more: dict[Noise, int] = {}  # those that were said within the last `every_s`

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or count it."""
        noise = next((each for each in NOISE if each.covers(record)), None)
        if noise is None:
            super().emit(record)
        elif noise in self._more:
            self._more[noise] += 1
        else:
            super().emit(shorten(record, noise))
            self._count(noise)

    def _count(self, noise: Noise) -> None:
        """Begin to count, and tell in `every_s` seconds."""
        self._more[noise] = 0
        timer = Timer(self._every_s, self._end_count, [noise])
        timer.daemon = True
        with suppress(RuntimeError):  # Python ends: close() tells
            timer.start()

    def _end_count(self, noise: Noise) -> None:
        self.acquire()
        try:
            if self._tell(noise):
                self._count(noise)  # it goes on
        finally:
            self.release()

    def _tell(self, noise: Noise) -> bool:
        """Say how many more came, and count no longer; whether any did."""
        more = self._more.pop(noise, 0)
        if more:
            text = f"{noise.name}: {more} more within {self._every_s:g} s"
            super().emit(logging.LogRecord(noise.logger, logging.WARNING, __file__, 0, text, None, None))
        return bool(more)

    def close(self) -> None:
        """Tell what was not told yet; logging.shutdown() calls it."""
        for noise in tuple(self._more):
            self._tell(noise)
        super().close()


def shorten(record: logging.LogRecord, noise: Noise) -> logging.LogRecord:
    """The line without its traceback, on one line."""
    lines = record.getMessage().strip().splitlines() or [""]
    error = record.exc_info[1] if record.exc_info else None
    text = noise.name if noise.logger in CRYPTIC else lines[0].rstrip(":")
    why = (str(error) or type(error).__name__) if error else lines[-1]
    if why != text:
        text = f"{text}: {why}"
    shown = "".join(each if each.isprintable() else "?" for each in text)[:LONGEST]
    short = copy.copy(record)
    short.msg, short.args = f"{shown} (more of these are counted and told once a minute)", ()
    short.exc_info = short.exc_text = short.stack_info = None
    return short
