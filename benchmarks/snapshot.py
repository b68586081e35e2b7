"""What a snapshot itself costs, whoever is there to see it: read, compose, publish, keep.

A server with an interval of 0.05 s, first without a client, then with one: CPU of its process divided by the snapshots
that it published meanwhile. Two starts of the same server differ by a tenth and more (where things lie in memory, who
else uses the machine), so there are three.
"""

import json
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.load import Load
from benchmarks.measure import serving
from benchmarks.peers.ours import Ours
from benchmarks.processes import cpu_usage
from benchmarks.results import Row

INTERVAL_S = 0.05
STARTS = 3
#: Seconds that each is watched, and before that.
WATCHED_S, WARM_UP_S = 10.0, 3.0
DATABASES = ("SQLite", "PostgreSQL")


@contextmanager
def database_url(kind: str) -> Iterator[str]:
    """A database's DATABASE_URL; empty for the SQLite file that the peer makes itself. Raises OSError without one."""
    if kind == "SQLite":
        yield ""
        return
    from tests.postgresql import Postgresql  # only here: a benchmark of messages needs none of it

    try:
        postgresql = Postgresql()
    except BaseException as error:  # pytest's skip is no Exception
        raise OSError(f"no PostgreSQL (apt install postgresql): {error}") from None
    try:
        yield postgresql.start().url
    finally:
        postgresql.remove()


def measure_snapshot(server: str, database: str, port: int) -> Row:
    """ms of CPU a snapshot without a client, and the share of a core that the process takes with one: medians."""
    starts = [measure_start(server, database, port) for _ in range(STARTS)]
    costs, alone, with_one = zip(*starts, strict=True)
    return {
        "server": server,
        "database": database,
        "interval_s": INTERVAL_S,
        "cpu_ms": median(costs),
        "cpu_ms_of_starts": sorted(costs),
        "load_alone": median(alone),
        "load_with_one": median(with_one),
    }


def measure_start(server: str, database: str, port: int) -> tuple[float, float, float]:
    """The same of one start."""
    peer = Ours(server)
    with tempfile.TemporaryDirectory() as folder, database_url(database) as url:
        peer.prepare(Path(folder), url)
        with serving(peer, port, INTERVAL_S) as (running, _), Load(port, peer.path) as load:
            pids = running.pids()
            time.sleep(WARM_UP_S)
            cpu_ms, load_alone = watch(pids, port)
            load.connect(1, timeout_s=10)
            _, load_with_one = watch(pids, port)
    return cpu_ms, load_alone, load_with_one


def watch(pids: list[int], port: int) -> tuple[float, float]:
    """ms of CPU for each snapshot of WATCHED_S, and the share of a core that was used."""
    published, before, began = count_published(port), cpu_usage(pids), time.monotonic()
    time.sleep(WATCHED_S)
    used, seconds = (cpu_usage(pids) - before).total, time.monotonic() - began
    return used * 1000 / (count_published(port) - published), used / seconds


def count_published(port: int) -> int:
    """Snapshots since the server's start."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stream/health", timeout=10) as answer:
        return int(json.load(answer)["ticks"]["published"])
