"""What `/stream/health` tells: whether snapshots flow, and whether what they need answers."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import close_old_connections, transaction
from redis.asyncio import Redis

from metrics.catalogue import CATALOGUE, SourceKind
from metrics.history.writer import HistoryWriter
from metrics.inquiry import Inquiry
from metrics.models import DataSource
from metrics.sources.redis import safe_address
from streaming.runtime import Runtime, runtime

#: Seconds that a check may take before its subject counts as not answering.
PATIENCE_S = 0.5
#: Without a snapshot for this many intervals the stream is down.
DOWN_AFTER = 3

Report = dict[str, Any]


def touch_database() -> None:
    """Do what the dashboard does to the database: read the choices, and write (nothing). Raises django.db.Error."""
    close_old_connections()
    try:
        with transaction.atomic():
            DataSource.objects.filter(group="").update(kind="")  # no such row, but a locked or read-only file refuses
            DataSource.objects.count()
    finally:
        close_old_connections()


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

    async def run(self) -> Report:
        """Return `ok`, `ms` (how long it took) and, where it failed, `error`."""
        started = time.perf_counter()
        error = None
        try:
            await self._inquiry.answer(PATIENCE_S)
        except TimeoutError:
            error = f"no answer within {PATIENCE_S} s"
        except Exception as failure:  # whatever it is, it is the answer
            error = f"{type(failure).__name__}: {failure}"
        report: Report = {"ok": error is None, "ms": round((time.perf_counter() - started) * 1000, 1)}
        if error:
            report["error"] = error
        return report


checks = {
    "channel_layer": Check(ask_channel_layer),
    "database": Check(lambda: asyncio.to_thread(touch_database)),
    "redis": Check(ask_redis),
}


async def report_health(runtime: Runtime = runtime) -> Report:
    """Return the whole report; takes at most PATIENCE_S seconds and a little."""
    names = list(checks)
    results = dict(zip(names, await asyncio.gather(*(checks[name].run() for name in names)), strict=True))
    latest = runtime.hub.latest
    snapshot = json.loads(latest.message["text"]) if latest else None
    groups = describe_groups(snapshot) if snapshot else {}
    results["redis"]["address"] = safe_address(settings.METRICS_REDIS_URL)
    results["redis"]["used"] = any(group["source"] == SourceKind.REDIS for group in groups.values())

    age = time.time() - (latest.timestamp if latest else runtime.hub.started)
    reasons = find_reasons(snapshot, groups, results)
    if runtime.publisher and runtime.publisher.history.error:
        waiting, why = runtime.publisher.history.waiting, runtime.publisher.history.error
        reasons.append(f"History: {waiting} snapshots wait for the database ({why}).")
    is_down = age > DOWN_AFTER * settings.STREAM_INTERVAL
    if is_down:
        reasons.insert(0, f"No snapshot for {age:.1f} s; one is due every {settings.STREAM_INTERVAL:g} s.")
    publisher = runtime.publisher
    return {
        "status": "down" if is_down else "degraded" if reasons else "ok",
        "reasons": reasons,
        "age": round(age, 3) if latest else None,
        "timestamp": latest.timestamp if latest else None,
        "interval": settings.STREAM_INTERVAL,
        "ticks": {
            "published": publisher.published if publisher else 0,
            "missed": publisher.missed if publisher else 0,
            "failed": publisher.failed if publisher else 0,
        },
        "publisher": ("leader" if publisher.is_leader else "standby") if publisher else "elsewhere",
        "clients": len(runtime.hub.clients),
        "stream": {name: getattr(runtime.hub, name) for name in ("dropped", "healed", "gaps", "stuck")},
        "history": describe_history(publisher.history) if publisher else None,
        "groups": groups,
        "checks": results,
    }


def describe_history(history: HistoryWriter) -> Report:
    """How far behind the database is, and what it cost."""
    return {"waiting": history.waiting, "given_up": history.given_up, "error": history.error}


def describe_groups(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Each group's source and its metrics' problems.

    After an upgrade the latest snapshot may be one from before a group existed: it has no source, nor a problem.
    """
    groups: dict[str, Any] = {
        group: {"source": source, "problems": {}} for group, source in snapshot["sources"].items()
    }
    for metric in CATALOGUE:
        if metric.key in snapshot["problems"] and metric.group in groups:
            groups[metric.group]["problems"][metric.key] = snapshot["problems"][metric.key]
    return groups


def find_reasons(snapshot: Report | None, groups: Report, results: Report) -> list[str]:
    """Say everything that is not as it should be, one sentence each.

    What this host cannot know (its containers, from inside one) is a trait of the machine, not a failure.
    """
    reasons = [] if snapshot else ["No snapshot yet."]
    for name, result in results.items():
        if not result["ok"] and result.get("used", True):
            reasons.append(f"{name.replace('_', ' ').capitalize()}: {result['error']}.")
    for name, group in groups.items():
        problems = {
            key: problem
            for key, problem in group["problems"].items()
            if not (group["source"] == SourceKind.HOST and problem == "missing")
        }
        if problems:
            listed = ", ".join(f"{key} {problem}" for key, problem in problems.items())
            reasons.append(f"Group {name} ({group['source']}): {listed}.")
    return reasons
