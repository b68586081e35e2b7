"""Runs the application under a real server, with the options that suit a stream of small messages to many clients."""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.conf import settings

#: Seconds between keep-alive pings, and how long an answer may take (Daphne needs the second to be the smaller).
#: Proxies and routers forget connections that carry nothing for a minute. Where snapshots come more often than that,
#: they keep the connection alive, and a ping only finds out who is gone: at 10,000 clients, one every 20 s for each
#: would cost as much as a third of the snapshots.
PING_INTERVAL_S = 60 if settings.STREAM_INTERVAL < 20 else 20
PING_TIMEOUT_S = 15
#: Bytes of a client's message that a server reads; the consumer closes (1009) long before, at 4 KiB.
LARGEST_MESSAGE = 64 * 1024

#: Connections that may wait to be accepted. After a restart everybody comes back at once; who does not fit into this
#: queue tries again only seconds later. (Twisted's default is 50; the kernel caps it at net.core.somaxconn.)
BACKLOG = 4096

Application = Callable[..., Any]
#: Called once with the address that the server listens at.
Ready = Callable[[str, int], None]


class ServerError(Exception):
    """The server could not start; the message says why and what to do."""


class Address(NamedTuple):
    """Where to listen; port 0 takes a free one."""

    host: str
    port: int
