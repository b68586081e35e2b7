"""Everybody resumes at once: `python -m benchmarks.resume` (or `make bench-resume`).

For each server it fills a SQLite database of its own with a snapshot every 3 s and lets 5,000 clients connect that lack
the newest 1,190 of them. How long until all of them are live, does the stream keep its beat, and how long does somebody
else wait who only asks whether the server is alive?
"""

import argparse
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.history import INTERVAL_S, peak_kib
from benchmarks.load import Load
from benchmarks.load.recorder import at
from benchmarks.peers.ours import ENVIRONMENT, Ours
from benchmarks.peers.peer import Stage
from benchmarks.processes import Running, cpu_usage, raise_file_limit
from benchmarks.results import Row
from benchmarks.tables import tabulate_resumes

SERVERS = ("daphne", "uvicorn")
CLIENTS = 5000
#: Snapshots in the database, and how many of them each client lacks: all in the memory of a server (STREAM_REPLAY).
STORED, LACKED = 1300, 1190
#: Seconds between two questions whether the server is alive.
ASK_EVERY_S = 0.02


class Poller(threading.Thread):
    """Asks `/stream/health/live` until told to stop.

    `times`: of each question, when it was asked (monotonic seconds) and how many ms the answer took.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.times: list[tuple[float, float]] = []
        self._port = port
        self._is_over = threading.Event()

    def run(self) -> None:
        """See Thread."""
        while not self._is_over.wait(ASK_EVERY_S):
            asked = time.monotonic()
            with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
                connection.request("GET", "/stream/health/live")
                connection.getresponse().read()
            self.times.append((asked, (time.monotonic() - asked) * 1000))

    def describe(self, start: float, end: float) -> dict[str, float]:
        """How long the answers took to what was asked in that time."""
        taken = sorted(ms for asked, ms in self.times if start <= asked < end)
        return {"p50": at(taken, 0.5), "p99": at(taken, 0.99), "max": at(taken, 1.0)}

    def stop(self) -> None:
        """Ask no more."""
        self._is_over.set()
        self.join()


def ask_health(port: int) -> dict[str, Any]:
    """What the server says of itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stream/health", timeout=60) as answer:
        health: dict[str, Any] = json.load(answer)
    return health


def find_cursor(database: Path) -> int:
    """The id that LACKED snapshots come after."""
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT id FROM metrics_snapshotrecord ORDER BY id DESC LIMIT 1 OFFSET ?"
        return int(connection.execute(query, (LACKED,)).fetchone()[0])


def measure_resume(server: str, clients: int, port: int) -> Row:
    """One row of the results."""
    with tempfile.TemporaryDirectory() as folder:
        peer = Ours(server)
        stage = Stage(port, port + 1, INTERVAL_S, Path(folder))
        peer.prepare(stage.folder)
        database = stage.folder / f"{peer.name}.sqlite3"
        environment = {**os.environ, **ENVIRONMENT, "DATABASE_URL": f"sqlite:///{database}"}
        command = [sys.executable, "-m", "benchmarks.history", "fill", str(STORED)]
        subprocess.run(command, env=environment, check=True)
        cursor = find_cursor(database)
        (program,) = peer.programs(stage)
        running = Running(program, stage.folder / "log")
        try:
            running.wait_until_ready()
            time.sleep(2)  # the first snapshots
            before, used = ask_health(port), cpu_usage(running.pids())
            poller = Poller(port)
            poller.start()
            began = time.monotonic()
            with Load(port, f"{peer.path}?since={cursor}", same=True) as load:
                opened = load.connect(clients, timeout_s=60)["opened"]
                connected = time.monotonic()
                seen = load.mark(patience_s=120)  # until everybody has the newest snapshot
                live = time.monotonic()
                cpu_s = (cpu_usage(running.pids()) - used).total
                poller.stop()
                after = ask_health(port)
                return {
                    "server": peer.name,
                    "clients": opened,
                    "messages": seen["messages"],
                    "behind": seen["behind"],
                    **{fault: seen[fault] for fault in ("lost", "doubled", "disordered", "strays")},
                    "connected_s": connected - began,
                    "live_s": live - began,
                    "cpu_s": cpu_s,
                    "load_cpu_s": seen["load_cpu_s"],
                    "connecting_ms": poller.describe(began, connected),
                    "alive_ms": poller.describe(connected, live),
                    "loop_ms": after["loop"]["longest_wait"] * 1000,
                    "ticks_missed": after["ticks"]["missed"] - before["ticks"]["missed"],
                    "stuck": after["stream"]["stuck"],
                    "peak_mib": peak_kib(running.pids()[0]) / 1024,
                }
        finally:
            running.kill()


def main() -> None:
    """Measure and print; `make bench` does it, too, and records it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resume", description=__doc__)
    parser.add_argument("--only", choices=SERVERS, action="append", help="this server alone")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--port", type=int, default=8395)
    arguments = parser.parse_args()
    if raise_file_limit() < arguments.clients + 200:
        parser.error(f"{arguments.clients} clients need as many open files, and 200 more: ulimit -n")
    rows: list[Row] = []
    for _ in range(arguments.rounds):
        for server in arguments.only or SERVERS:
            rows.append(measure_resume(server, arguments.clients, arguments.port))
            print(json.dumps(rows[-1]), flush=True)
    print(*tabulate_resumes(rows), sep="\n")


if __name__ == "__main__":
    main()
