"""What `/stream/health` tells: whether snapshots flow, and whether what they need answers.

Ages come from the monotonic clock, from when things arrived here: no clock that is set makes a dead stream look alive,
or a live one dead.
"""

import asyncio
import json
from typing import Any

from django.conf import settings

from metrics.catalogue import METRICS, SourceKind
from metrics.sources.redis import safe_address
from streaming.publishing.publisher import Publisher
from streaming.reasons import find_reasons
from streaming.runtime import Runtime

#: Without a snapshot for this many intervals the stream is down.
DOWN_AFTER = 3

Report = dict[str, Any]


async def report_health(runtime: Runtime) -> Report:
    """Return the whole report; takes as long as the checks, half a second at most.

    `reasons` says everything that is not as it should be, a sentence each, with what to do. In several processes each
    tells of itself and of the stream as it sees it.
    """
    checks = await runtime.checks.run()
    hub, publisher = runtime.hub, runtime.publisher
    latest = hub.recent.latest
    snapshot = json.loads(latest.text) if latest else None
    groups = describe_groups(snapshot) if snapshot else {}
    checks["redis"]["address"] = safe_address(settings.METRICS_REDIS_URL)
    checks["redis"]["used"] = any(group["source"] == SourceKind.REDIS for group in groups.values())
    report: Report = {
        "status": "ok",
        "reasons": [],
        "age": None,
        "timestamp": snapshot["timestamp"] if snapshot else None,
        "id": latest.id if latest else None,
        "term": hub.term,
        "interval": settings.STREAM_INTERVAL,
        "ticks": {
            "published": publisher.published if publisher else 0,
            "missed": publisher.missed if publisher else 0,
            "failed": publisher.failed if publisher else 0,
        },
        "publisher": ("leader" if publisher.is_leader else "standby") if publisher else "elsewhere",
        "clients": len(hub.clients),
        "catching_up": hub.catching_up,
        "stream": {
            name: getattr(hub, name)
            for name in ("dropped", "refused", "healed", "gaps", "breaks", "forks", "unread", "stuck")
        },
        "recovering": hub.is_recalling,
        "sender": hub.sender,
        "loop": {"longest_wait": round(runtime.lag.longest_s, 3)},
        "lease": describe_lease(publisher) if publisher else None,
        "choice": {"age": round(publisher.choices.age_s, 3)} if publisher else None,
        "history": describe_history(publisher) if publisher else None,
        "groups": groups,
        "checks": checks,
        "version": settings.VERSION,
    }
    silent_s = find_silence(runtime)
    report["age"] = None if hub.arrived_at is None else round(silent_s, 3)
    report["reasons"] = find_reasons(report)
    if silent_s > DOWN_AFTER * settings.STREAM_INTERVAL:
        report["status"] = "down"
        report["reasons"].insert(0, explain_silence(silent_s, publisher))
    elif report["reasons"]:
        report["status"] = "degraded"
    return report


def find_silence(runtime: Runtime) -> float:
    """Seconds since the newest snapshot came to this process; since its start where none came yet."""
    since = runtime.hub.arrived_at if runtime.hub.arrived_at is not None else runtime.started_at
    return asyncio.get_running_loop().time() - since if since is not None else 0.0


def explain_silence(silent_s: float, publisher: Publisher | None) -> str:
    """Why no snapshot comes, as far as this process can know."""
    said = f"No snapshot for {silent_s:.1f} s; one is due every {settings.STREAM_INTERVAL:g} s"
    if publisher is None:
        return f"{said}. This process does not publish: look at the one that does (manage.py publish_metrics)."
    if publisher.error:
        return f"{said}: the channel layer takes none ({publisher.error})."
    if publisher.lease.error:
        return f"{said}: the lease cannot be had ({publisher.lease.error})."
    if not publisher.is_leader:
        return f"{said}. Another process holds the lease: look at its health, or end it."
    return f"{said}."


def describe_lease(publisher: Publisher) -> Report:
    """Who publishes, as this process's publisher knows it."""
    lease = publisher.lease
    return {
        "held": lease.is_held,
        "term": lease.term,
        "clock_offset": lease.clock_offset_s,
        "error": lease.error or None,
    }


def describe_history(publisher: Publisher) -> Report:
    """How far behind the database is, and what it cost."""
    history = publisher.history
    return {
        "waiting": history.waiting,
        "oldest": round(history.oldest_waiting_s, 3),
        "given_up": history.given_up,
        "refused": history.refused,
        "fenced_off": history.is_fenced_off,
        # Publishers that share a lease are to be several; without one, each believes that it is the only one.
        "others": 0 if settings.REDIS_URL else history.count_others(DOWN_AFTER * settings.STREAM_INTERVAL),
        "error": history.error or None,
        "journal_error": history.journal_error or None,
    }


def describe_groups(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Each group's source and its metrics' problems."""
    groups: dict[str, Any] = {
        group: {"source": source, "problems": {}} for group, source in snapshot["sources"].items()
    }
    for key, problem in snapshot["problems"].items():
        if METRICS[key].group in groups:  # not one that is newer than this snapshot
            groups[METRICS[key].group]["problems"][key] = problem
    return groups
