"""`/metrics`: what a Prometheus server reads (the text format, https://prometheus.io/docs/instrumenting/exposition_formats/).

The trading system's metrics follow from the catalogue; what is null or stale is absent, not frozen, as all are where
the stream is down; the source is a label, so that nothing simulated passes for real. The rest is of the process that
answers: where several workers share a port, each answer is one worker's, as its label says.
"""

import json
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from access.viewer import Scope, Viewer
from metrics.catalogue import CATALOGUE, METRICS, Metric
from streaming.durations import WORKER
from streaming.health import report_health
from streaming.runtime import Runtime
from streaming.web.admission import admits
from streaming.web.provide import runtime_of

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: A catalogue's unit as Prometheus' base unit: what the name ends with, and what a value is multiplied by.
BASE_UNITS = {"%": ("ratio", 0.01), "ratio": ("ratio", 1.0), "ms": ("seconds", 0.001)}
STATUSES = ("ok", "degraded", "down")

Report = dict[str, Any]
Family = GaugeMetricFamily | CounterMetricFamily

#: What is counted since the process began: its name, what it says, where the health report has it.
COUNTERS = (
    ("stream_deliveries", "Snapshots given to clients' sockets", ("deliveries",)),
    ("stream_dropped", "Snapshots that came again", ("stream", "dropped")),
    ("stream_refused", "Snapshots of a publisher whose term was over", ("stream", "refused")),
    ("stream_healed", "Snapshots that the channel layer lost and the past had", ("stream", "healed")),
    ("stream_gaps", "Times that the past had not all that was lost", ("stream", "gaps")),
    ("stream_forks", "Times that a publisher did not continue the newest snapshot", ("stream", "forks")),
    ("stream_stuck", "Clients that were closed because they did not read", ("stream", "stuck")),
    ("ticks_published", "Snapshots that this process's publisher published", ("ticks", "published")),
    ("ticks_missed", "Ticks that were skipped because the one before took too long", ("ticks", "missed")),
    ("ticks_failed", "Ticks whose snapshot was not taken", ("ticks", "failed")),
    ("history_given_up", "Snapshots that could not be kept", ("history", "given_up")),
    ("history_refused", "Snapshots of a term that was over, which history refused", ("history", "refused")),
    ("connections_refused", "Connections for which there was no place", ("connections", "refused")),
    ("connections_late", "Connections that did not say in time what they want", ("connections", "late")),
)
#: The same of what goes up and down.
GAUGES = (
    ("stream_age_seconds", "Time since the newest snapshot came", ("age",)),
    ("stream_interval_seconds", "Time between two snapshots, as it is set", ("interval",)),
    ("stream_clients", "Open connections to the stream", ("clients",)),
    ("stream_catching_up", "Connections that wait to be sent what they lack", ("catching_up",)),
    ("stream_term", "The newest publisher's term", ("term",)),
    ("lease_held", "Whether this process's publisher holds the lease", ("lease", "held")),
    ("clock_offset_seconds", "How far this host's clock is off the shared one", ("lease", "clock_offset")),
    ("choice_age_seconds", "Time since staff's choice was read", ("choice", "age")),
    ("history_waiting", "Snapshots that wait for the database", ("history", "waiting")),
    ("history_waiting_seconds", "How long the oldest of them has waited", ("history", "oldest")),
    ("loop_longest_wait_seconds", "The longest wait for the event loop in 30 s", ("loop", "longest_wait")),
    ("connections", "Connections of every kind", ("connections", "taken")),
)


@csrf_exempt
@require_safe
@never_cache
@admits(Scope.METRICS)
async def exposition(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Everything, for whoever may read the scope `metrics`."""
    runtime = runtime_of(request)
    registry = CollectorRegistry()
    registry.register(Figures(runtime, await report_health(runtime)))
    registry.register(runtime.hub.sweeps.histogram)
    if runtime.publisher is not None:
        registry.register(runtime.publisher.ticks.histogram)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE)


class Figures(Collector):
    """What there is to tell of one moment."""

    def __init__(self, runtime: Runtime, report: Report) -> None:
        """`report`: health's."""
        self._runtime = runtime
        self._report = {
            **report,
            "deliveries": runtime.hub.audience.written,
            "connections": {
                "taken": runtime.visits.places.taken,
                "refused": runtime.visits.places.refused,
                "late": runtime.visits.late,
            },
        }

    @property
    def _is_live(self) -> bool:
        """Whether the newest snapshot is of now: not recalled, nor the last before silence."""
        return self._report["age"] is not None and self._report["status"] != "down"

    def collect(self) -> Iterator[Family]:
        """See Collector."""
        latest = self._runtime.hub.recent.latest
        if latest is not None and self._is_live:
            snapshot = json.loads(latest.text)
            yield from (family for metric in CATALOGUE if (family := describe_value(metric, snapshot)))
            yield describe_problems(snapshot)
        yield describe_status(self._report["status"])
        yield one("info", "The version that runs", 1, version=str(self._report["version"]))
        for name, words, path in COUNTERS:
            if (value := find(self._report, path)) is not None:
                counter = CounterMetricFamily(f"quantum_{name}", words, labels=["worker"])
                counter.add_metric([WORKER], value)
                yield counter
        for name, words, path in GAUGES:
            if (value := find(self._report, path)) is not None:
                yield one(name, words, value, worker=WORKER)


def describe_value(metric: Metric, snapshot: dict[str, Any]) -> GaugeMetricFamily | None:
    """A metric of the catalogue; None where its value is not there, or is not of now."""
    value, source = snapshot.get(metric.key), snapshot["sources"].get(metric.group)
    if value is None or metric.key in snapshot["problems"] or source is None:
        return None
    if isinstance(value, str):
        return one(metric.key, metric.label, 1, source=source, state=value)
    unit, factor = BASE_UNITS.get(metric.unit, ("", 1.0))
    return one("_".join(filter(None, (metric.key, unit))), metric.label, value * factor, source=source)


def describe_problems(snapshot: dict[str, Any]) -> GaugeMetricFamily:
    """Which metrics are not what they should be, and why."""
    family = GaugeMetricFamily("quantum_problem", "1 where a metric has a problem", labels=["metric", "problem"])
    for key, problem in snapshot["problems"].items():
        if key in METRICS:
            family.add_metric([key, problem], 1)
    return family


def describe_status(status: str) -> GaugeMetricFamily:
    """Health's word, as one series for each that there is."""
    family = GaugeMetricFamily("quantum_status", "1 for what health says", labels=["status", "worker"])
    for known in STATUSES:
        family.add_metric([known, WORKER], known == status)
    return family


def one(name: str, words: str, value: float, **labels: str) -> GaugeMetricFamily:
    """A gauge with one series."""
    family = GaugeMetricFamily(f"quantum_{name}", words, labels=list(labels))
    family.add_metric(list(labels.values()), float(value))
    return family


def find(report: Report, path: tuple[str, ...]) -> float | None:
    """What the report has at `path`; None where it has nothing."""
    for key in path:
        if not isinstance(report, dict) or (report := report.get(key)) is None:  # type: ignore[assignment]
            return None
    return float(report)  # type: ignore[arg-type]
