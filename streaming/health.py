"""What `/stream/health` tells: whether snapshots flow, and whether what they need answers."""

import json
import time
from typing import Any

from django.conf import settings

from metrics.catalogue import CATALOGUE, SourceKind
from metrics.history.writer import HistoryWriter
from metrics.sources.redis import safe_address
from streaming.runtime import Runtime

#: Without a snapshot for this many intervals the stream is down.
DOWN_AFTER = 3

Report = dict[str, Any]


async def report_health(runtime: Runtime) -> Report:
    """Return the whole report; takes as long as the checks, half a second at most."""
    results = await runtime.checks.run()
    latest = runtime.hub.recent.latest
    snapshot = json.loads(latest.text) if latest else None
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
        "sender": runtime.hub.sender,
        "history": describe_history(publisher.history) if publisher else None,
        "groups": groups,
        "checks": results,
        "version": settings.VERSION,
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
