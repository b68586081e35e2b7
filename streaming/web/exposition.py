"""`/metrics`: what a Prometheus server reads (the text format, https://prometheus.io/docs/instrumenting/exposition_formats/).

The trading system's metrics follow from the catalogue; what is null or stale is absent, not frozen, as all are where
the stream is down; the source is a label, so that nothing simulated passes for real. The rest is of the processes:
where several workers share a port, one answer tells of all of them. Each has its own series, by the label `worker`, as
it is what `rate()` needs where one ends and counts from zero again; one that does not answer has none but
`quantum_dashboard_worker_up`, which is 0. (prometheus_client's own way, files that all write and one reads, would show
the figures of a worker that hangs, and keep those of each that ever was.)
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from access.viewer import Scope, Viewer
from metrics.catalogue import CATALOGUE, METRICS, Metric
from streaming.runtime import Runtime
from streaming.servers.other_workers import Workers
from streaming.web.admission import admits
from streaming.web.figures import Figures, tell_figures
from streaming.web.provide import runtime_of

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: A catalogue's unit as Prometheus' base unit: what the name ends with, and what a value is multiplied by.
BASE_UNITS = {"%": ("ratio", 0.01), "ratio": ("ratio", 1.0), "ms": ("seconds", 0.001)}
STATUSES = ("ok", "degraded", "down")
#: What the names of the dashboard's own series begin with: no metric of the catalogue can be called the same.
OWN = "quantum_dashboard"
#: What a process that has no others beside it is called: as a label, the same as none.
ALONE = ""

Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily
#: Each process's figures, by the number that it has as a worker; None of one that does not answer.
Processes = Mapping[str, Figures | None]

#: What is counted since a process began.
COUNTERS = {
    "stream_written": "Snapshots written whole into clients' sockets, in the sweep over those who have all before it",
    "stream_dropped": "Snapshots that came again",
    "stream_refused": "Snapshots of a publisher whose term was over",
    "stream_healed": "Snapshots that the channel layer lost and the past had",
    "stream_gaps": "Times that the past had not all that was lost",
    "stream_breaks": "Times that a publisher did not know what was published before",
    "stream_forks": "Times that a publisher did not continue the newest snapshot",
    "stream_unread": "Times that what a client missed could not be read for it",
    "stream_stuck": "Clients that were closed because they did not read",
    "ticks_published": "Snapshots that this process's publisher published",
    "ticks_missed": "Ticks that were skipped because the one before took too long",
    "ticks_failed": "Ticks whose snapshot was not taken",
    "history_given_up": "Snapshots that could not be kept",
    "history_refused": "Snapshots of a term that was over, which history refused",
    "connections_refused": "Connections for which there was no place",
    "connections_late": "Connections that did not say in time what they want",
}
#: What goes up and down.
GAUGES = {
    "stream_age_seconds": "Time since the newest snapshot came",
    "stream_interval_seconds": "Time between two snapshots, as it is set",
    "stream_clients": "Open connections to the stream",
    "stream_catching_up": "Connections that wait to be sent what they lack",
    "stream_recovering": "Whether the recent snapshots are still being read after a start",
    "stream_term": "The newest publisher's term",
    "lease_held": "Whether this process's publisher holds the lease",
    "clock_offset_seconds": "How far this host's clock is off the shared one",
    "choice_age_seconds": "Time since staff's choice was read",
    "history_waiting": "Snapshots that wait for the database",
    "history_waiting_seconds": "How long the oldest of them has waited",
    "history_fenced_off": "Whether history refuses what this process publishes",
    "history_journal_failing": "Whether the journal of snapshots cannot be written",
    "loop_longest_wait_seconds": "The longest wait for the event loop in 30 s",
    "connections": "Connections of every kind",
    "connections_most": "How many there may be, without the reserve",
}
#: What is done again and again.
DURATIONS = {
    "sweep": "Sending one snapshot to all clients that have everything before it",
    "tick": "Reading the sources and publishing a snapshot",
}


@csrf_exempt
@require_safe
@never_cache
@admits(Scope.METRICS)
async def exposition(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Everything, for whoever may read the scope `metrics`."""
    registry = CollectorRegistry()
    registry.register(Exposition(await ask_processes(runtime_of(request), Workers.find())))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE)


async def ask_processes(runtime: Runtime, workers: Workers | None) -> Processes:
    """The figures of all processes at this port, this one's among them; takes about a second at most."""
    if workers is None:
        return {ALONE: await tell_figures(runtime)}
    own, others = await asyncio.gather(tell_figures(runtime), workers.ask())
    told = {workers.number: own, **cast("dict[int, Figures | None]", others)}
    return {str(number): told[number] for number in sorted(told)}


class Exposition(Collector):
    """What there is to tell of one moment, each family once."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._told = {worker: figures for worker, figures in processes.items() if figures is not None}

    def collect(self) -> Iterator[Family]:
        """See Collector."""
        snapshots = [json.loads(text) for figures in self._told.values() if (text := figures["latest"])]
        if snapshots:
            yield from describe_snapshot(max(snapshots, key=lambda snapshot: snapshot["id"]))
        yield from self._describe_processes()
        for name, words in COUNTERS.items():
            yield from self._describe_numbers(name, CounterMetricFamily(f"{OWN}_{name}", words, labels=["worker"]))
        for name, words in GAUGES.items():
            yield from self._describe_numbers(name, gauge(f"{OWN}_{name}", words, "worker"))
        for name, words in DURATIONS.items():
            histogram = HistogramMetricFamily(f"{OWN}_{name}_duration_seconds", words, labels=["worker"])
            for worker, figures in self._told.items():
                if (counted := figures["durations"].get(name)) is not None:
                    histogram.add_metric(
                        [worker], [(bound, count) for bound, count in counted["buckets"]], counted["sum"]
                    )
            yield histogram

    def _describe_processes(self) -> Iterator[Family]:
        """Which there are, and how they are."""
        up = gauge(f"{OWN}_worker_up", "Whether a worker at this port answered the one that was asked", "worker")
        info = gauge(f"{OWN}_info", "The version that runs", "version", "worker")
        status = gauge(f"{OWN}_status", "1 for what health says", "status", "worker")
        check = gauge(f"{OWN}_check", "Whether what the stream depends on answers", "check", "worker")
        for worker, figures in self._processes.items():
            up.add_metric([worker], figures is not None)
        for worker, figures in self._told.items():
            info.add_metric([figures["version"], worker], 1)
            for known in STATUSES:
                status.add_metric([known, worker], known == figures["status"])
            for name, is_well in figures["checks"].items():
                check.add_metric([name, worker], is_well)
        yield from (up, info, status, check)

    def _describe_numbers(self, name: str, family: Family) -> Iterator[Family]:
        """`family` with each process's; nothing where none has it."""
        for worker, figures in self._told.items():
            if (number := figures["numbers"].get(name)) is not None:
                family.add_metric([worker], number)  # type: ignore[call-arg, arg-type]
        if family.samples:
            yield family


def describe_snapshot(snapshot: dict[str, Any]) -> Iterator[Family]:
    """The catalogue's metrics, where each group's values come from, and what is not as it should be."""
    yield from (family for metric in CATALOGUE if (family := describe_value(metric, snapshot)))
    sources = gauge(f"{OWN}_source", "1 for where a group's values come from", "group", "source")
    for group, source in snapshot["sources"].items():
        sources.add_metric([group, source], 1)
    problems = gauge(f"{OWN}_problem", "1 where a metric has a problem", "metric", "problem", "source")
    for key, problem in snapshot["problems"].items():
        if key in METRICS:
            problems.add_metric([key, problem, snapshot["sources"].get(METRICS[key].group, "")], 1)
    yield from (sources, problems)


def describe_value(metric: Metric, snapshot: dict[str, Any]) -> GaugeMetricFamily | None:
    """A metric of the catalogue; None where its value is not there, or is not of now."""
    value, source = snapshot.get(metric.key), snapshot["sources"].get(metric.group)
    if value is None or metric.key in snapshot["problems"] or source is None:
        return None
    if isinstance(value, str):
        family = gauge(f"quantum_{metric.key}", metric.label, "source", "state")
        family.add_metric([source, value], 1)
        return family
    unit, factor = BASE_UNITS.get(metric.unit, ("", 1.0))
    family = gauge("_".join(filter(None, ("quantum", metric.key, unit))), metric.label, "source")
    family.add_metric([source], value * factor)
    return family


def gauge(name: str, words: str, *labels: str) -> GaugeMetricFamily:
    """A gauge without series yet."""
    return GaugeMetricFamily(name, words, labels=labels)
