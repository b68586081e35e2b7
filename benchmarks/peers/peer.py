"""What the harness wants to know of a peer."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Program

#: Seconds between keep-alive pings of a peer: what the dashboard itself does while its stream is silent.
PING_INTERVAL_S = 60


@dataclass(frozen=True)
class Stage:
    """What a peer is given: ports of 127.0.0.1 (its own and a second), seconds between snapshots, an empty folder."""

    port: int
    other_port: int
    interval_s: float
    folder: Path


class Peer:
    """One way to stream. Subclasses set the attributes and say which programs it takes."""

    name = ""
    #: One line for the report.
    about = ""
    #: Where the stream is.
    path = "/"
    #: Where it says that it is well while it streams; empty where it does not.
    health_path = ""
    #: Python packages that it needs.
    packages: tuple[str, ...] = ()
    #: Files that one of its processes opens for each client.
    files_a_client = 1
    #: Whether each connection gets payloads of its own, made for it.
    has_own_payloads = False

    def programs(self, stage: Stage) -> Sequence[Program]:
        """The programs, in the order in which they are started."""
        raise NotImplementedError

    def prepare(self, folder: Path) -> None:
        """Do what is done once, before the first case; `folder` is kept until the last."""

    def find_missing(self) -> str | None:
        """What is not installed, and how to install it; None where the peer can run."""
        absent = [package for package in self.packages if importlib.util.find_spec(package) is None]
        return f"not installed: {', '.join(absent)} (pip install -r benchmarks/requirements.txt)" if absent else None

    def guess_cost_us(self, clients: int) -> float:
        """About how much CPU a delivered message takes (µs): the interval is chosen so that a peer can keep up."""
        return 60.0
