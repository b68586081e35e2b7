"""Asks what the stream depends on whether it answers: the channel layer, the database, the AI engine's Redis."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction
from redis.asyncio import Redis

from metrics.database_errors import explain_database_error
from metrics.database_thread import DatabaseThread
from metrics.inquiry import Inquiry
from metrics.models import DataSource

#: Seconds that a check may take before its subject counts as not answering.
PATIENCE_S = 0.5

Result = dict[str, Any]


def touch_database() -> None:
    """Do what the dashboard does to the database: read the choices, and write (nothing). Raises django.db.Error."""
    with transaction.atomic():
        DataSource.objects.filter(group="").update(kind="")  # no such row, but a locked or read-only file refuses
        DataSource.objects.count()


async def ask_channel_layer() -> None:
    """Send to a group that nobody is in: one round trip to wherever the channel layer lives."""
    await get_channel_layer().group_send("stream.health", {"type": "health"})


async def ask_redis() -> None:
    """PING the Redis that the AI engine writes."""
    async with Redis.from_url(settings.METRICS_REDIS_URL, socket_timeout=5, socket_connect_timeout=5) as client:
        await client.ping()


class Check:
    """One dependency. However often it is asked, and however long it hangs, one question is under way at most."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._inquiry = Inquiry(ask)

    async def run(self) -> Result:
        """Return `ok`, `ms` (how long it took) and, where it failed, `error`."""
        started = time.perf_counter()
        error = None
        try:
            await self._inquiry.answer(PATIENCE_S)
        except TimeoutError:
            error = f"no answer within {PATIENCE_S} s"
        except DatabaseError as failure:
            error = explain_database_error(failure)
        except Exception as failure:  # whatever it is, it is the answer
            error = f"{type(failure).__name__}: {failure}".rstrip(".")  # more follows in its sentence
        result: Result = {"ok": error is None, "ms": round((time.perf_counter() - started) * 1000, 1)}
        if error:
            result["error"] = error
        return result


class Checks:
    """One process's checks, by the name of what they ask."""

    def __init__(self) -> None:
        self._thread = DatabaseThread("health")
        self._checks = {
            "channel_layer": Check(ask_channel_layer),
            "database": Check(lambda: self._thread.ask(touch_database)),
            "redis": Check(ask_redis),
        }

    async def run(self) -> dict[str, Result]:
        """Run all of them at once; takes at most PATIENCE_S seconds and a little."""
        results = await asyncio.gather(*(check.run() for check in self._checks.values()))
        return dict(zip(self._checks, results, strict=True))
