"""Runs the application under a real server, with the options that suit a stream of small messages to many clients."""

from collections.abc import Callable
from typing import Any, NamedTuple

#: Seconds between keep-alive pings, and how long an answer may take. Daphne needs the second to be the smaller.
PING_INTERVAL_S = 20
PING_TIMEOUT_S = 15
#: Bytes a client's message may have.
LARGEST_MESSAGE = 4096

Application = Callable[..., Any]
#: Called once with the address that the server listens at.
Ready = Callable[[str, int], None]


class ServerError(Exception):
    """The server could not start; the message says why and what to do."""


class Address(NamedTuple):
    """Where to listen; port 0 takes a free one."""

    host: str
    port: int
