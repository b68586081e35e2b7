"""How long what is done again and again takes, as Prometheus counts it."""

import os

from prometheus_client import Histogram

#: The number of this process where several share a port (streaming.servers.workers); else nothing.
WORKER = os.environ.get("WORKER", "")
#: Upper bounds in seconds: from what a sweep over a few clients takes to what a tick may.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class Durations:
    """Counts seconds: `with durations.time(): …`. `histogram`: what Prometheus is to be told."""

    def __init__(self, name: str, words: str) -> None:
        """`name`: what is done. `words`: the same for people."""
        self.histogram = Histogram(f"quantum_{name}_duration_seconds", words, ["worker"], buckets=BOUNDS, registry=None)
        self.time = self.histogram.labels(WORKER).time
