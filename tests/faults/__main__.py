"""Everything that can break, breaks: `make faults` (about 15 minutes).

Writes docs/faults.md; exits 1 where a promise was broken, or health said what was not true.
`--only WORDS` carries out the faults with these words in their name, and renews what the page says of them. `--times`
and `--server` do otherwise than the page says, and leave it alone: each silence is printed.
"""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.faults import embedded_faults, everything, postgresql_faults, publisher_faults, redis_faults, server_faults
from tests.faults.clock import Clock
from tests.faults.report import make_cells, renew_page, tell_wrong, write_page
from tests.faults.stage import INTERVAL_S, Cluster, Embedded, Stage
from tests.faults.trial import Fault, Result, carry_out

MakeStage = Callable[[Path], Stage]


def make_clocked(folder: Path) -> Embedded:
    """An embedded server whose clock can be set."""
    return Embedded(folder, Clock(folder / "clock"))


#: Each kind of stage with what breaks on it.
PLAN: list[tuple[MakeStage, Sequence[Fault]]] = [
    (
        Cluster,
        [
            *publisher_faults.FAULTS,
            *redis_faults.FAULTS,
            *postgresql_faults.FAULTS,
            *server_faults.FAULTS,
            *everything.FAULTS,
        ],
    ),
    (Embedded, [*embedded_faults.FAULTS, embedded_faults.DISK_FULL]),
    (make_clocked, embedded_faults.CLOCKS),
]


def is_asked_for(name: str, words: str) -> bool:
    """Whether `words` name this fault: a whole name that one, others all that have them in theirs."""
    names = [fault.name.lower() for _, planned in PLAN for fault in planned]
    return name.lower() == words.lower() if words.lower() in names else words.lower() in name.lower()


async def run(arguments: argparse.Namespace, folder: Path) -> list[Result]:
    """Carry out the faults that are asked for; a stage that did not come back is replaced by a new one."""
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)  # what it started ends with it
    results: list[Result] = []
    for make_stage, planned in PLAN:
        faults = [
            replace(fault, times=arguments.times or fault.times)
            for fault in planned
            if is_asked_for(fault.name, arguments.only)
        ]
        while faults:
            own = folder / f"stage-{len(results)}"
            own.mkdir()
            is_other = make_stage is Cluster and arguments.server
            async with Cluster(own, [arguments.server] * 3) if is_other else make_stage(own) as stage:
                while faults:
                    fault = faults.pop(0)
                    if (
                        isinstance(stage, Embedded)
                        and fault.act is embedded_faults.fill_disk
                        and not stage.disk.is_small
                    ):
                        print(f"{fault.name}: skipped, for this may not mount a small disk")
                        continue
                    began = time.monotonic()
                    results.append(await carry_out(fault, stage))
                    show(results[-1], time.monotonic() - began)
                    if arguments.times:
                        print("        silences (s): " + " ".join(f"{silence:.2f}" for silence in results[-1].silences))
                    if results[-1].complaints:
                        break
    return results


def show(result: Result, seconds: float) -> None:
    """One line of a result, and what was wrong."""
    print(f"{seconds:4.0f} s  {' | '.join(make_cells(result))}", flush=True)
    for line in tell_wrong(result):
        print(f"        {line}", flush=True)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORDS")
    parser.add_argument("--times", type=int, metavar="NUMBER", help="do each fault so often, and leave the page alone")
    parser.add_argument("--server", choices=("daphne", "uvicorn"), help="what all servers are; leaves the page alone")
    parser.add_argument("--keep", action="store_true", help="keep the logs, wherever they are")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    began = time.monotonic()
    results = asyncio.run(run(arguments, folder))
    good = all(result.is_good for result in results)
    if arguments.keep or not good:
        print(f"The logs are in {folder}")
    else:
        shutil.rmtree(folder)
    if arguments.only and not (arguments.times or arguments.server):
        renew_page(results)
    elif not (arguments.times or arguments.server):
        when = time.strftime("%Y-%m-%d", time.gmtime())
        write_page(
            results,
            f"{when}, {os.cpu_count()} cores, {(time.monotonic() - began) / 60:.0f} minutes, a snapshot every "
            f"{INTERVAL_S:g} s.",
        )
    print(f"{sum(result.is_good for result in results)} of {len(results)} faults did no harm")
    sys.exit(not good)


if __name__ == "__main__":
    main()
