"""Every source that could answer for a group, side by side: what is published, and what each other one would say."""

import functools
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.conf import settings

from metrics.admin.ages import describe_ago
from metrics.admin.explanations import Explanation, explain
from metrics.catalogue import Group, Metric, SourceKind, Value, metrics_of
from metrics.history.readable import read_snapshots
from metrics.models import DataSource, SnapshotRecord
from metrics.reading import Problem, Reading
from metrics.snapshot import Snapshot
from metrics.sources.asker import CPU_WINDOW_S, Asker, SourceAnswers
from metrics.sources.redis import heartbeat_key

LABELS = {SourceKind.MOCK: "Simulated", SourceKind.REDIS: "Redis", SourceKind.HOST: "This host"}
#: Intervals after which the newest snapshot is not what is published now.
LATE_INTERVALS = 3


@functools.cache
def asker() -> Asker:
    """This process's one."""
    return Asker()


@dataclass(frozen=True, slots=True)
class Cell:
    """One metric's value from one source, as it is or would be published."""

    metric: Metric
    value: Value
    problem: Problem | None

    @property
    def shown(self) -> str:
        return self.metric.show(self.value, with_unit=True, currency=settings.CURRENCY)

    @property
    def note(self) -> str:
        """The problem; that it is a fallback where a value is shown that the source did not give."""
        if self.problem is None:
            return ""
        is_fallback = self.value is not None and self.problem is not Problem.STALE
        return f"{self.problem}, fallback" if is_fallback else self.problem


@dataclass(frozen=True, slots=True)
class Candidate:
    """One source of a group.

    `published_age_s`: how long ago the newest snapshot was published, where its values are these; None: they are what
    the source says right now. `is_late`: that snapshot is so old that nothing is published any more.
    """

    kind: SourceKind
    is_chosen: bool
    published_age_s: float | None
    is_late: bool
    age: str
    cells: list[Cell]
    explanations: list[Explanation]

    @property
    def label(self) -> str:
        return LABELS[self.kind]

    @property
    def ages(self) -> str:
        """How old the values are: since they were published, and by what their producer says."""
        published = "" if self.published_age_s is None else f"published {describe_ago(self.published_age_s)}"
        return ", ".join(filter(None, (published, self.age)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A group with all its candidates."""

    row: DataSource
    candidates: list[Candidate]

    @property
    def lines(self) -> list[tuple[Metric, list[Cell]]]:
        """Each metric with its cells, in the candidates' order."""
        cells = zip(*(candidate.cells for candidate in self.candidates), strict=True)
        return [(line[0].metric, list(line)) for line in cells]

    @property
    def published(self) -> Candidate | None:
        """The candidate whose values the newest snapshot has."""
        return next((each for each in self.candidates if each.published_age_s is not None), None)

    def candidate(self, kind: SourceKind) -> Candidate:
        """The candidate of this kind. Raises StopIteration where the group has none."""
        return next(each for each in self.candidates if each.kind is kind)


def compare_sources(rows: Collection[DataSource]) -> list[Comparison]:
    """Ask whatever is not known from the newest snapshot, once for all `rows` (blocking, within Asker's patience)."""
    published = next(read_snapshots(SnapshotRecord.objects.order_by("-id")[:1]), None)
    kinds = {
        kind
        for row in rows
        for kind in row.group_enum.kinds
        # What Redis holds is shown beside the problems, also of what is published.
        if kind is SourceKind.REDIS or not is_published(published, row.group_enum, kind)
    }
    answers = asker().ask(kinds, {row.group_enum: row.choice for row in rows}, time.time())
    return [Comparison(row, list(make_candidates(row, published, answers))) for row in rows]


def is_published(published: Snapshot | None, group: Group, kind: SourceKind) -> bool:
    """Whether the newest snapshot's values of `group` are from a source of this kind."""
    return published is not None and published.sources.get(group) is kind


def make_candidates(row: DataSource, published: Snapshot | None, answers: SourceAnswers) -> Iterable[Candidate]:
    """All candidates of one group."""
    group, now = row.group_enum, time.time()
    for kind in group.kinds:
        age_s, is_late = None, False
        if published is not None and is_published(published, group, kind):
            reading = reading_of(published, group)
            age_s = now - published.timestamp
            is_late = age_s > LATE_INTERVALS * published.interval + 1
        else:
            reading = answers.readings[kind][group]
            if row.use_fallbacks:
                reading = with_fallbacks(reading, group)
        yield Candidate(
            kind=kind,
            is_chosen=row.kind == kind,
            published_age_s=age_s,
            is_late=is_late,
            age=describe_age(group, kind, reading, now, is_live=age_s is None),
            cells=[
                Cell(metric, reading.values[metric.key], reading.problems.get(metric.key))
                for metric in metrics_of(group)
            ],
            explanations=explain(group, kind, reading, answers.redis, row.max_age_s),
        )


def reading_of(snapshot: Snapshot, group: Group) -> Reading:
    """One group's part of a published snapshot."""
    keys = [metric.key for metric in metrics_of(group)]
    return Reading(
        values={key: snapshot.values[key] for key in keys},
        problems={key: snapshot.problems[key] for key in keys if key in snapshot.problems},
        observed=snapshot.observed.get(group),
    )


def with_fallbacks(reading: Reading, group: Group) -> Reading:
    """The reading as it would be published where staff want fallbacks."""
    fallbacks = {metric.key: metric.fallback for metric in metrics_of(group)}
    values = {key: fallbacks[key] if value is None else value for key, value in reading.values.items()}
    return Reading(values, reading.problems, reading.observed)


def describe_age(group: Group, kind: SourceKind, reading: Reading, now_s: float, *, is_live: bool) -> str:
    """How old the values are by what their producer says; how they were made where there is no producer."""
    if kind is SourceKind.MOCK:
        return "made up for this page" if is_live else "simulated"
    if kind is SourceKind.HOST:
        return f"measured now, CPU over {CPU_WINDOW_S:g} s" if is_live else ""
    if Problem.UNREACHABLE in reading.problems.values():
        return "no answer"
    if reading.observed is None:
        return f"no age: no valid {heartbeat_key(group)}"
    return f"written {describe_ago(now_s - reading.observed)}"
