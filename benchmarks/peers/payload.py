"""What the peers send: a snapshot that looks like ours, of the same size, with the times that the clients look at."""

import time
from datetime import UTC, datetime
from typing import Any


def make_payload(previous: float | None, interval_s: float) -> dict[str, Any]:
    """A snapshot of now; `previous` is the timestamp of the one before, Unix seconds."""
    timestamp = round(time.time(), 3)
    if previous is not None:
        timestamp = max(timestamp, round(previous + 0.001, 3))
    return {
        "timestamp": timestamp,
        "datetime": datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds"),
        "cpu": 56.21,
        "ram": 83.44,
        "containers": 7,
        "accuracy": 0.783,
        "latency": 158,
        "sharpe": 1.21,
        "pnl": 126692.14,
        "positions": 14,
        "exposure": 0.62,
        "regime": "bull",
        "risk": 0.31,
        "volatility": 0.18,
        "previous": previous,
        "interval": interval_s,
        "sources": {"system": "mock", "ai": "mock", "portfolio": "mock"},
        "problems": {},
        "observed": {},
    }
