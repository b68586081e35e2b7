#!/usr/bin/env python
"""Plays the AI engine: writes every key that the dashboard reads into Redis, with plain SETs.

It knows nothing of the dashboard, only Redis: any program in any language can do the same.
"""

import argparse
import random
import sys
import time

import redis


def values(previous: dict[str, float]) -> dict[str, float | str]:
    """Made-up values that move a little from one call to the next."""

    def walk(key: str, start: float, step: float, low: float, high: float, decimals: int = 3) -> float:
        moved = previous.get(key, start) + random.gauss(0, step)
        previous[key] = min(max(moved, low), high)
        return round(previous[key], decimals)

    return {
        "system:cpu": walk("cpu", 35, 4, 0, 100, 1),
        "system:ram": walk("ram", 60, 1, 0, 100, 1),
        "system:containers": round(walk("containers", 9, 0.2, 0, 30)),
        "ai:accuracy": walk("accuracy", 0.78, 0.004, 0, 1),
        "ai:latency": round(walk("latency", 140, 6, 1, 2000)),
        "ai:sharpe": walk("sharpe", 1.3, 0.02, -5, 5),
        "ai:regime": "bull" if walk("mood", 0.5, 0.1, -1, 1) > 0 else "bear",
        "portfolio:pnl": walk("pnl", 84_000, 120, -1e9, 1e9, 2),
        "portfolio:positions": round(walk("positions", 11, 0.3, 0, 60)),
        "portfolio:exposure": walk("exposure", 0.55, 0.01, 0, 1),
        "portfolio:risk": walk("risk", 0.25, 0.005, 0, 1),
        "portfolio:volatility": walk("volatility", 0.17, 0.002, 0, 2),
    }


def main() -> None:
    """Write until interrupted, or once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="redis://127.0.0.1:6379/0", help="default: %(default)s")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between writes (default: %(default)s)")
    parser.add_argument("--once", action="store_true", help="write once and end")
    options = parser.parse_args()
    try:
        client = redis.Redis.from_url(options.url)
        previous: dict[str, float] = {}
        while True:
            now = round(time.time(), 3)
            for key, value in values(previous).items():
                client.set(key, value)
            for group in ("system", "ai", "portfolio"):
                client.set(f"{group}:updated_at", now)
            if options.once:
                return
            time.sleep(options.interval)
    except (redis.RedisError, ValueError) as error:
        sys.exit(
            f"Cannot write to Redis: {error}\nStart one (redis-server), or say where it is: --url redis://host:6379/0"
        )
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
