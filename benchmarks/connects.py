"""What a connect costs, beside the servers alone: `python -m benchmarks.connects`.

Each time a new server process, and CONNECTS clients, 200 handshakes at once: the CPU of the process until all are
connected. All servers are measured in turns, so that what the machine does otherwise hits them alike.
"""

import json
import statistics
import tempfile
from pathlib import Path

from benchmarks.load import Load
from benchmarks.measure import CONNECT_S, serving
from benchmarks.peers.bare import Bare
from benchmarks.peers.ours import Ours
from benchmarks.peers.peer import Peer
from benchmarks.processes import cpu_usage
from benchmarks.results import Row
from benchmarks.tables import tabulate_connects

#: Clients, after so many that nobody counts.
CONNECTS, WARM_UP = 2000, 200
ROUNDS = 7


def measure_once(peer: Peer, port: int) -> tuple[float, float]:
    """Connects a second and µs of CPU for each."""
    with serving(peer, port, 3.0) as (server, _), Load(port, peer.path) as load:
        load.connect(WARM_UP, timeout_s=CONNECT_S)
        before = cpu_usage(server.pids()).total
        answer = load.connect(CONNECTS, timeout_s=CONNECT_S)
        used = cpu_usage(server.pids()).total - before
    return answer["per_second"], used * 1e6 / answer["opened"]


def measure_connects(server: str, port: int) -> list[Row]:
    """A row for the server alone and one for this dashboard on it: medians of ROUNDS, in turns. Takes two ports."""
    with tempfile.TemporaryDirectory() as folder:
        ours, alone = Ours(server), Bare(server)
        ours.prepare(Path(folder))
        measured: dict[str, list[tuple[float, float]]] = {alone.name: [], ours.name: []}
        for number in range(ROUNDS):
            for peer in (alone, ours):
                measured[peer.name].append(measure_once(peer, port + number % 2))
    return [
        {
            "name": name,
            "server": server,
            "per_second": statistics.median(rate for rate, _ in runs),
            "cpu_us": statistics.median(cost for _, cost in runs),
            "cpu_us_all": sorted(cost for _, cost in runs),
        }
        for name, runs in measured.items()
    ]


def main() -> None:
    """Measure and print; `make bench` does it, too, and records it."""
    rows = []
    for number, server in enumerate(("daphne", "uvicorn")):
        rows += measure_connects(server, 8280 + 10 * number)
        print(*map(json.dumps, rows[-2:]), sep="\n", flush=True)
    print(*tabulate_connects(rows), sep="\n")


if __name__ == "__main__":
    main()
