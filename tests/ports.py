"""Ports for what tests start: nobody else of this run is given the same, nor a connection in between."""

import itertools
import os
import random
import socket
from pathlib import Path

#: From here to where the system's own begin: a port that it chose may be some connection's before the server is up.
FIRST = 10_000
#: At most so many processes of pytest run at once; of the ports, each takes its own share.
SHARES = 32
SYSTEM_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def find_end() -> int:
    """The first port that the system itself gives to connections."""
    return int(SYSTEM_RANGE.read_text().split()[0]) if SYSTEM_RANGE.exists() else 32_768


def list_share(worker: str) -> list[int]:
    """The ports of one process of pytest-xdist ("gw0", "gw1", …), in the order in which it takes them.

    They begin anywhere: another run may be going on beside this one.
    """
    own = range(FIRST + int(worker.removeprefix("gw")) % SHARES, find_end(), SHARES)
    begin = random.SystemRandom().randrange(len(own))
    return [*own[begin:], *own[:begin]]


SHARE = itertools.cycle(list_share(os.environ.get("PYTEST_XDIST_WORKER", "gw0")))


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens at. It comes again when all others have been given."""
    for port in SHARE:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("a cycle has no end")
