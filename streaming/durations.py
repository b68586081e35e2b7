"""How long what is done again and again takes, as Prometheus counts it: a histogram, whose buckets are cumulative."""

from bisect import bisect_left
from itertools import accumulate
from typing import TypedDict

#: Upper bounds in seconds: from what a sweep over a few clients takes to what a tick may.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
LABELS = (*map(str, BOUNDS), "+Inf")


class Counted(TypedDict):
    """`buckets`: each upper bound in seconds, as a text, with how many took at most so long. `sum`: all seconds."""

    buckets: list[tuple[str, float]]
    sum: float


class Durations:
    """Counts seconds."""

    def __init__(self) -> None:
        self._counts = [0] * len(LABELS)
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._sum_s += seconds

    def count(self) -> Counted:
        """What was counted until now."""
        return Counted(buckets=[*zip(LABELS, accumulate(self._counts), strict=True)], sum=self._sum_s)
