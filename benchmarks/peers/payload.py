"""What the peers send: a snapshot that looks like ours, of the same size, with the times that the clients look at."""

import time
from typing import Any

from metrics.catalogue import CATALOGUE, Group, SourceKind, Value
from metrics.snapshot import Snapshot, next_id

#: Values as long as real ones; a metric that is not here sends its fallback.
VALUES: dict[str, Value] = {
    "cpu": 56.21,
    "ram": 83.44,
    "accuracy": 0.783,
    "latency": 158,
    "sharpe": 1.21,
    "pnl": 126692.14,
    "exposure": 0.62,
    "regime": "bull",
    "risk": 0.31,
    "volatility": 0.18,
}


def make_payload(previous: int | None, interval_s: float) -> dict[str, Any]:
    """A snapshot of now; `previous` is the id of the one before."""
    now = time.time()
    return Snapshot(
        id=next_id(previous, now),
        previous=previous,
        timestamp=round(now, 3),
        interval=interval_s,
        values={metric.key: VALUES.get(metric.key, metric.fallback) for metric in CATALOGUE},
        sources=dict.fromkeys(Group, SourceKind.MOCK),
        problems={},
        observed={},
    ).to_dict()
