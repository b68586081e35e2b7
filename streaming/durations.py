"""How long what is done again and again takes, as Prometheus counts it."""

from typing import TypedDict

from prometheus_client import Histogram

#: Upper bounds in seconds: from what a sweep over a few clients takes to what a tick may.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class Counted(TypedDict):
    """`buckets`: each upper bound in seconds, as a text, with how many took at most so long. `sum`: all seconds."""

    buckets: list[tuple[str, float]]
    sum: float


class Durations:
    """Counts seconds: `with durations.time(): …`."""

    def __init__(self) -> None:
        self._histogram = Histogram("seconds", "-", buckets=BOUNDS, registry=None)
        self.time = self._histogram.time

    def count(self) -> Counted:
        """What was counted until now."""
        counted = Counted(buckets=[], sum=0.0)
        for sample in next(iter(self._histogram.collect())).samples:
            if sample.name.endswith("_bucket"):
                counted["buckets"].append((sample.labels["le"], sample.value))
            elif sample.name.endswith("_sum"):
                counted["sum"] = sample.value
        return counted
