"""What a process tells of itself and of the stream as it sees it, as figures: of health's report, and what it counts.

They are what `/metrics` is made of, by the process that answers it and by the other workers at its port, which it asks.
"""

from typing import Any, TypedDict

from streaming.durations import Counted
from streaming.health import Report, report_health
from streaming.runtime import Runtime

#: Where health's report has each figure, by its name.
PLACES = {
    "stream_age_seconds": ("age",),
    "stream_interval_seconds": ("interval",),
    "stream_clients": ("clients",),
    "stream_catching_up": ("catching_up",),
    "stream_recovering": ("recovering",),
    "stream_term": ("term",),
    "stream_dropped": ("stream", "dropped"),
    "stream_refused": ("stream", "refused"),
    "stream_healed": ("stream", "healed"),
    "stream_gaps": ("stream", "gaps"),
    "stream_breaks": ("stream", "breaks"),
    "stream_forks": ("stream", "forks"),
    "stream_unread": ("stream", "unread"),
    "stream_stuck": ("stream", "stuck"),
    "ticks_published": ("ticks", "published"),
    "ticks_missed": ("ticks", "missed"),
    "ticks_failed": ("ticks", "failed"),
    "lease_held": ("lease", "held"),
    "clock_offset_seconds": ("lease", "clock_offset"),
    "choice_age_seconds": ("choice", "age"),
    "history_waiting": ("history", "waiting"),
    "history_waiting_seconds": ("history", "oldest"),
    "history_given_up": ("history", "given_up"),
    "history_refused": ("history", "refused"),
    "history_fenced_off": ("history", "fenced_off"),
    "loop_longest_wait_seconds": ("loop", "longest_wait"),
}


class Figures(TypedDict):
    """One process's, of one moment; all of it can be sent as JSON."""

    version: str
    status: str
    #: The text of the newest snapshot, unless it is only recalled, or the last one before silence.
    latest: str | None
    #: Whether what the stream depends on answered, by what it is called; without what is not used.
    checks: dict[str, bool]
    #: By names as those of PLACES; without those that this process does not have.
    numbers: dict[str, float]
    #: How long what is done again and again took, by what is done.
    durations: dict[str, Counted]


async def tell_figures(runtime: Runtime) -> Figures:
    """This process's; takes as long as health's checks, half a second at most."""
    report = await report_health(runtime)
    latest = runtime.hub.recent.latest
    is_live = latest is not None and report["age"] is not None and report["status"] != "down"
    durations = {"sweep": runtime.hub.sweeps.count()}
    if runtime.publisher is not None:
        durations["tick"] = runtime.publisher.ticks.count()
    return {
        "version": str(report["version"]),
        "status": report["status"],
        "latest": latest.text if latest is not None and is_live else None,
        "checks": {name: check["ok"] for name, check in report["checks"].items() if check.get("used", True)},
        "numbers": find_numbers(report) | count_beside(runtime),
        "durations": durations,
    }


def find_numbers(report: Report) -> dict[str, float]:
    """Those of the report."""
    found = {name: find(report, place) for name, place in PLACES.items()}
    if report["history"] is not None:
        found["history_journal_failing"] = report["history"]["journal_error"] is not None
    return {name: float(value) for name, value in found.items() if value is not None}


def count_beside(runtime: Runtime) -> dict[str, float]:
    """Those that health does not tell."""
    places = runtime.visits.places
    return {
        "stream_written": runtime.hub.audience.written,
        "connections": places.taken,
        "connections_most": places.most,
        "connections_refused": places.refused,
        "connections_late": runtime.visits.late,
    }


def find(report: Any, place: tuple[str, ...]) -> float | None:
    """What the report has at `place`; None where it has nothing."""
    for key in place:
        report = report.get(key) if isinstance(report, dict) else None
    return report  # type: ignore[no-any-return]
