"""Runs the application under a real server, with the options that suit a stream of small messages to many clients."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from streaming.delivery.sending import MakeSender

#: Seconds that a client's pong may take (Daphne needs it to be less than the time between two pings).
PING_TIMEOUT_S = 15
#: Of so many pings that are due to a client that snapshots reach, one is sent; TCP answers for the others.
PINGS_AS_ONE = 5
#: Connections that may wait to be accepted. After a restart everybody comes back at once; who does not fit into this
#: queue tries again only seconds later. (Twisted's default is 50; the kernel caps it at net.core.somaxconn.)
BACKLOG = 4096

Application = Callable[..., Any]
#: Called once with the address that the server listens at.
Ready = Callable[[str, int], None]
SERVERS = ("daphne", "uvicorn")


class ServerError(Exception):
    """The server could not start; the message says why and what to do."""


class Address(NamedTuple):
    """Where to listen; port 0 takes a free one."""

    host: str
    port: int


def ping_interval_s(snapshot_interval_s: float) -> int:
    """Seconds after which a keep-alive ping is due.

    Proxies and routers forget connections that carry nothing for a minute. Where snapshots come more often than that,
    they keep the connection alive, and the peer's TCP acknowledges them: of its pings most are left out (see
    SocketSender.spares_ping). With its pong one costs as much as five snapshots.
    """
    return 60 if snapshot_interval_s < 20 else 20


def unacknowledged_s(send_timeout_s: float) -> float:
    """Seconds after which the kernel ends a connection whose peer acknowledges nothing of what it was sent.

    As long as a ping that goes unanswered takes. It counts who does not read, too (tcp(7)): whoever may not for longer
    is to be told so before (1013), not cut off.
    """
    return max(60.0, send_timeout_s) + PING_TIMEOUT_S


def find_make_sender(server: str) -> MakeSender:
    """How to send to a connection of `server`, which is the one that runs here: only now is it reached into."""
    door = import_module(f"streaming.servers.{server}_sender")
    make_door = {"daphne": "DaphneDoor", "uvicorn": "UvicornDoor"}[server]
    make_sender: MakeSender = getattr(door, make_door)().make_sender
    return make_sender
