"""This machine's own numbers, through psutil, in a thread of its own."""

import asyncio
import math
from collections.abc import Callable, Collection, Mapping

import psutil

from metrics.catalogue import Group, InvalidValueError, SourceKind, Value, metrics_of
from metrics.choices import Choices
from metrics.daemon_thread import DaemonThread
from metrics.inquiry import Inquiry
from metrics.reading import Problem, Reading
from metrics.sources.containers import Containers

#: Seconds that a measurement stands for. Linux counts CPU time in hundredths of a second: over 50 ms two cores know ten
#: steps between idle and busy, and each would cost more than all else in a snapshot. Who ticks once a second or less
#: often has one of each tick's own.
MEASURED_FOR_S = 0.9
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
        self._readings: Mapping[Group, Reading] = HANGING
        self._measure_again_at = -math.inf  # on the loop's clock
        self._probes: dict[str, Callable[[], float | int | None]] = {
            "cpu": self._measure_cpu,
            "ram": lambda: psutil.virtual_memory().percent,
            "containers": Containers().count,
        }

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
        """Return one reading per group within `deadline_s` seconds; what is not about the machine is `missing`.

        What was measured less than MEASURED_FOR_S ago stands.
        """
        readings = self._readings
        now = asyncio.get_running_loop().time()
        if now >= self._measure_again_at:
            try:
                readings = self._readings = await self._inquiry.answer(deadline_s)
                self._measure_again_at = now + MEASURED_FOR_S
            except TimeoutError:
                readings = HANGING
        return {group: readings.get(group) or Reading.failed(group, Problem.MISSING) for group in groups}

    async def aclose(self) -> None:
        """Let go of the thread; a measurement under way is not waited for."""
        await self._inquiry.aclose()
        self._thread.close()
