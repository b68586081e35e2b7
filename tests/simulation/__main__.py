"""`python -m tests.simulation`: run many schedules, or one with its story."""

import argparse
import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantum_dashboard.settings")
os.environ.setdefault("SECRET_KEY", "not secret, for nothing is served here")
django.setup()

from tests.simulation.many import run_many  # noqa: E402 - what it imports needs the settings
from tests.simulation.old_faults import OLD_FAULTS, find_fault  # noqa: E402
from tests.simulation.schedule import run_schedule, small_sizes  # noqa: E402


def find_old_faults() -> int:
    """Look for each of the old faults; how many were not found."""
    missed = 0
    for fault, schedules in OLD_FAULTS.items():
        verdict = find_fault(fault, schedules)
        missed += verdict is None
        print(f"{fault.__name__}: {f'{verdict.seed}: {verdict.violations[0]}' if verdict else 'NOT FOUND'}")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000, help="how many")
    parser.add_argument("--seed", default="1", help="what all of them are drawn from")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--replay", metavar="SEED", help="tell the story of one schedule")
    parser.add_argument("--old-faults", action="store_true", help="put each of the old faults back, and find it")
    arguments = parser.parse_args()
    if arguments.old_faults:
        return find_old_faults()
    if arguments.replay:
        with small_sizes():
            verdict = run_schedule(arguments.replay, is_told=True)
        print("\n".join([*verdict.story, "", *(map(str, verdict.faults)), "", *verdict.violations]))
        return 1 if verdict.violations else 0
    began = time.monotonic()
    summary = run_many(arguments.schedules, arguments.seed, arguments.processes)
    print(summary.describe(time.monotonic() - began))
    return 1 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main())
