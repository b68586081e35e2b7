"""This machine's own numbers, through psutil, in a thread of its own."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping

import psutil

from metrics.catalogue import Group, InvalidValueError, SourceKind, Value, metrics_of
from metrics.choices import Choices
from metrics.daemon_thread import DaemonThread
from metrics.inquiry import Inquiry
from metrics.reading import Problem, Reading
from metrics.sources.containers import count_containers

#: The groups that it may be asked for.
GROUPS = tuple(group for group in Group if SourceKind.HOST in group.kinds)
#: What every group's reading says when the machine hangs.
HANGING = {group: Reading.failed(group, Problem.UNREACHABLE) for group in GROUPS}


class HostSource:
    """Answers for the groups that are about this machine.

    A metric it cannot know is `missing`, a machine that hangs is `unreachable`.
    """

    def __init__(self, cpu_window_s: float | None = None) -> None:
        """`cpu_window_s`: seconds over which each CPU use is measured; None: since the last time it was asked."""
        # psutil keeps its last CPU times per thread, so it must always be the same one.
        self._thread = DaemonThread("host")
        self._inquiry = Inquiry(self._ask)
        self._cpu_window_s = cpu_window_s
        self._is_primed = False
        self._containers: int | None = None
        self._count_again_at = 0.0
        self._probes: dict[str, Callable[[], float | int | None]] = {
            "cpu": self._measure_cpu,
            "ram": lambda: psutil.virtual_memory().percent,
            "containers": self._count_containers,
        }

    def _count_containers(self) -> int | None:
        """Running containers, counted at most once a second: it reads a file of every process."""
        if time.monotonic() >= self._count_again_at:
            self._containers = count_containers()
            self._count_again_at = time.monotonic() + 1
        return self._containers

    def _measure_cpu(self) -> float:
        """CPU use of all cores in % since the last call. The first has nothing to compare with: it measures 50 ms."""
        interval = self._cpu_window_s or (None if self._is_primed else 0.05)
        self._is_primed = True
        return psutil.cpu_percent(interval=interval)

    def _ask(self) -> "asyncio.Future[dict[Group, Reading]]":
        return self._thread.ask(self._measure)

    def _measure(self) -> dict[Group, Reading]:
        """Measure every group (blocking)."""
        return {group: self._measure_group(group) for group in GROUPS}

    def _measure_group(self, group: Group) -> Reading:
        """Ask the probe of each metric of `group` (blocking)."""
        values: dict[str, Value] = {}
        problems: dict[str, Problem] = {}
        for metric in metrics_of(group):
            values[metric.key] = None
            try:
                probe = self._probes.get(metric.key)
                number = probe() if probe else None
                if number is None:
                    problems[metric.key] = Problem.MISSING
                else:
                    values[metric.key] = metric.accept(number)
            except InvalidValueError:
                problems[metric.key] = Problem.INVALID
            except (OSError, psutil.Error):
                problems[metric.key] = Problem.UNREACHABLE
        return Reading(values, problems)

    async def read(self, choices: Choices, groups: Collection[Group], deadline_s: float) -> Mapping[Group, Reading]:
        """Return one reading per group within `deadline_s` seconds; what is not about the machine is `missing`."""
        try:
            readings = await self._inquiry.answer(deadline_s)
        except TimeoutError:
            readings = HANGING
        return {group: readings.get(group) or Reading.failed(group, Problem.MISSING) for group in groups}

    async def aclose(self) -> None:
        """Let go of the thread; a measurement under way is not waited for."""
        await self._inquiry.aclose()
        self._thread.close()
