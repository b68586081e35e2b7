"""`python -m benchmarks`: runs all of it and writes the report."""

import argparse
import contextlib
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.connects import measure_connects
from benchmarks.load import LoadError
from benchmarks.machine import describe_machine, describe_versions
from benchmarks.measure import measure_newcomers, measure_restart, run_case
from benchmarks.peers import PEERS
from benchmarks.plan import Plan, make_plan
from benchmarks.processes import PROJECT, StartError
from benchmarks.report import DOCUMENTS, RECORDED, RESULTS_NAME, write_report
from benchmarks.results import Row, describe_row, write_results
from benchmarks.resume import measure_resume
from benchmarks.snapshot import DATABASES, measure_snapshot
from benchmarks.targets import describe_targets
from benchmarks.workers import COUNTS, measure_workers

CLIENTS, QUICK_CLIENTS = [200, 1000, 5000, 10_000], [200, 1000]
#: Clients that come back after a restart, and peers whose restart and newcomers are measured.
COMING_BACK = 5000
OURS = ("ours-daphne", "ours-uvicorn")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench BENCH_ARGS=...", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 and 1,000 clients, short windows, under 90 seconds")
    parser.add_argument("--only", default=",".join(PEERS), help="peers, separated by commas (default: all)")
    parser.add_argument("--clients", help="numbers of clients (default: 200,1000,5000,10000; 20000 is possible)")
    parser.add_argument("--rate", type=float, default=2500, help="messages a second, all clients together")
    parser.add_argument("--window", type=float, default=20, help="seconds to measure for, at least")
    parser.add_argument("--rounds", type=int, default=1, help="how often all cases are run; figures are medians")
    parser.add_argument("--look-every-ms", type=float, default=1.0, help="the load generator's pause (0: none)")
    parser.add_argument("--port", type=int, default=8400, help="first of 100 ports of 127.0.0.1 to use")
    parser.add_argument(
        "--output",
        type=Path,
        help="folder for the results and a page of them (default: build/benchmarks; a run of all peers and numbers of "
        "clients goes into benchmarks/results and docs/benchmarks.md)",
    )
    arguments = parser.parse_args()
    arguments.only = [name.strip() for name in arguments.only.split(",")]
    if unknown := [name for name in arguments.only if name not in PEERS]:
        parser.error(f"no peer {', '.join(unknown)}; there are {', '.join(PEERS)}")
    default = QUICK_CLIENTS if arguments.quick else CLIENTS
    arguments.clients = [int(number) for number in arguments.clients.split(",")] if arguments.clients else default
    if arguments.quick:
        arguments.window = min(arguments.window, 2)
    return arguments


def find_places(arguments: argparse.Namespace) -> tuple[Path, Path]:
    """The folders of the results and of the page: a run that says everything replaces what the project shows."""
    is_whole = not arguments.quick and {*PEERS} == {*arguments.only} and {*CLIENTS} <= {*arguments.clients}
    if arguments.output is None and is_whole:
        return RECORDED, DOCUMENTS
    folder: Path = (arguments.output or PROJECT / "build" / "benchmarks").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder, folder


class Ports:
    """Port pairs in turn: a closed port may still be busy with the last case's connections."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._used = 0

    def next(self) -> int:
        self._used += 2
        return self._first + (self._used - 2) % 100


def run(plan: Plan, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run all cases; what fails is reported, and the rest goes on."""
    ports = Ports(arguments.port)
    rows: list[Row] = []
    beside: dict[str, list[Row]] = {
        what: [] for what in ("newcomers", "connects", "restarts", "resumes", "snapshots", "workers")
    }
    failures: list[str] = []

    @contextlib.contextmanager
    def reporting(name: str) -> Any:
        try:
            yield
        except (StartError, LoadError, OSError) as error:
            failures.append(f"{name}: {error}")
            print(f"{name}: {error}", file=sys.stderr)

    for name in {case.peer.name: None for case in plan.cases}:
        PEERS[name].prepare(folder)
    for case in plan.cases:
        with reporting(case.name):
            rows.append(run_case(case, ports.next(), arguments.look_every_ms))
            print(describe_row(rows[-1]), flush=True)
    largest = {case.peer.name: case for case in sorted(plan.cases, key=lambda case: case.clients)}

    def measure_beside(what: str, name: str, measure: Callable[[], Row]) -> None:
        with reporting(f"{name}, {what}"):
            beside[what].append(measure())
            print(f"{name}, {what}: {beside[what][-1]}", flush=True)

    look_every_ms = arguments.look_every_ms
    for name in OURS if not arguments.quick else ():
        if largest_case := largest.get(name):
            peer, server = largest_case.peer, name.removeprefix("ours-")
            measure_beside("newcomers", name, partial(measure_newcomers, largest_case, ports.next(), look_every_ms))
            with reporting(f"{name}, connects"):
                beside["connects"] += measure_connects(server, ports.next())
                print(f"{name}, connects: {beside['connects'][-2:]}", flush=True)
            measure_beside("restarts", name, partial(measure_restart, peer, COMING_BACK, ports.next(), look_every_ms))
            measure_beside("resumes", name, partial(measure_resume, server, COMING_BACK, ports.next()))
            for database in DATABASES:
                measure_beside("snapshots", name, partial(measure_snapshot, server, database, ports.next()))
            for count in COUNTS:
                measure_beside("workers", name, partial(measure_workers, server, count, ports.next()))
    return {"rows": rows, **beside, "left_out": plan.left_out + failures}


def main() -> None:
    """Run and report."""
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server is left behind
    results_folder, page_folder = find_places(arguments)
    began = time.monotonic()
    plan = make_plan(
        arguments.only,
        arguments.clients,
        rate=arguments.rate,
        window_s=arguments.window,
        rounds=arguments.rounds,
    )
    for reason in plan.left_out:
        print(f"Left out: {reason}", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        measured = run(plan, arguments, Path(folder))
    words = shlex.quote(shlex.join(sys.argv[1:]))
    results = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"make bench BENCH_ARGS={words}" if sys.argv[1:] else "make bench",
        "seconds": round(time.monotonic() - began),
        "rate": arguments.rate,
        "look_every_ms": arguments.look_every_ms,
        "machine": describe_machine(),
        "versions": describe_versions(),
        **measured,
    }
    file = results_folder / RESULTS_NAME
    write_results(results, file)
    page = write_report(results_folder, page_folder)
    print(*describe_targets(results), f"Written: {page}, {file}", sep="\n")


if __name__ == "__main__":
    main()
