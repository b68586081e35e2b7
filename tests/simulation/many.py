"""Many schedules, on all processors."""

import gc
import multiprocessing
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.simulation.schedule import Verdict, run_schedule, small_sizes

#: Schedules that a worker runs between two collections of garbage.
CHUNK = 50


@dataclass
class Summary:
    """What came of them. `failed`: those with a violation, without their stories."""

    schedules: int = 0
    published: int = 0
    received: int = 0
    told: int = 0
    steps: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    failed: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        self.schedules += 1
        self.published += verdict.published
        self.received += verdict.received
        self.told += verdict.told
        self.steps += verdict.steps
        self.faults.update(fault.kind for fault in verdict.faults)
        if verdict.violations:
            self.failed.append(verdict)

    def describe(self, seconds: float) -> str:
        """In some lines."""
        head = f"{self.schedules} schedules in {seconds:.1f} s: {self.published} snapshots published, "
        head += f"{self.received} received, {self.told} holes told, {self.steps} steps"
        lines = [head, ", ".join(f"{count} × {kind}" for kind, count in self.faults.most_common())]
        for verdict in self.failed[:20]:
            kinds = ", ".join(fault.kind for fault in verdict.faults)
            lines.append(f"FAILED --replay {verdict.seed} ({kinds}): {verdict.violations[0]}")
        lines.append(f"{len(self.failed)} failed")
        return "\n".join(lines)


def run_chunk(seeds: list[str]) -> list[Verdict]:
    """Run some schedules in this process."""
    with small_sizes():
        verdicts = [run_schedule(seed) for seed in seeds]
    gc.collect()
    return verdicts


def name_seeds(schedules: int, seed: str) -> Iterable[list[str]]:
    """The seeds of the single schedules, in chunks."""
    for start in range(0, schedules, CHUNK):
        yield [f"{seed}.{number}" for number in range(start, min(start + CHUNK, schedules))]


def run_many(schedules: int, seed: str, processes: int | None = None) -> Summary:
    """Run `schedules` schedules that are drawn from `seed`."""
    summary = Summary()
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for verdicts in pool.imap_unordered(run_chunk, name_seeds(schedules, seed)):
            for verdict in verdicts:
                summary.add(verdict)
    summary.failed.sort(key=lambda verdict: verdict.seed)
    return summary
