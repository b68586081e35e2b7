"""One published snapshot in the database."""

import json
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models

from metrics.catalogue import CATALOGUE, METRICS, Group, Metric, SourceKind, Value
from metrics.reading import Problem
from metrics.snapshot import Snapshot, format_time


def to_ms(timestamp: float) -> int:
    """Unix seconds as whole milliseconds."""
    return round(timestamp * 1000)


def make_column(metric: Metric) -> "models.Field[Any, Any]":
    """The typed column that keeps `metric`; null where the snapshot has null."""
    if metric.type is float:
        return models.FloatField(metric.label, null=True)
    if metric.type is int:
        return models.BigIntegerField(metric.label, null=True)
    return models.CharField(metric.label, max_length=int(metric.maximum), null=True)


class SnapshotRecord(models.Model):
    """A snapshot as it was published. The columns of the groups and metrics come from the catalogue, below.

    A row from before a metric or a group existed has null in its column.
    """

    # The time is the key. BigAutoField, although nothing is counted up: only it becomes SQLite's "integer primary key",
    # the order that the table itself is kept in, so that a range of time is one sequential read without an index.
    time_ms = models.BigAutoField("time", primary_key=True, help_text="Unix milliseconds.")
    previous_ms = models.BigIntegerField(null=True)
    interval_s = models.FloatField()
    problem_count = models.PositiveSmallIntegerField()
    problems = models.TextField(help_text="JSON: metric to problem.")
    observed = models.TextField(help_text="JSON: group to Unix seconds.")

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    class Meta:
        ordering: ClassVar = ["-time_ms"]
        verbose_name = "snapshot"
        verbose_name_plural = "history of snapshots"
        indexes: ClassVar = [
            # Problems are rare and looked for: an index of their own keeps a search fast among a million rows.
            models.Index(fields=["-time_ms"], condition=models.Q(problem_count__gt=0), name="snapshots_with_problems")
        ]

    def __str__(self) -> str:
        return format_time(self.timestamp)

    @property
    def timestamp(self) -> float:
        """Unix seconds."""
        return self.time_ms / 1000

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> "SnapshotRecord":
        """The row that keeps `snapshot`."""
        return cls(
            time_ms=to_ms(snapshot.timestamp),
            previous_ms=None if snapshot.previous is None else to_ms(snapshot.previous),
            interval_s=snapshot.interval,
            problem_count=len(snapshot.problems),
            problems=json.dumps(snapshot.problems),
            observed=json.dumps(snapshot.observed),
            **{group.source_column: kind.value for group, kind in snapshot.sources.items()},
            **snapshot.values,
        )

    def to_snapshot(self) -> Snapshot:
        """The snapshot that this row keeps; it encodes to the very message that was published.

        As far as the catalogue is still what it was then: what a metric had that is gone now is left out, one that did
        not exist is `missing`, and a group that did not exist has no source.
        """
        values = {key: getattr(self, key) for key in METRICS}
        observed = json.loads(self.observed)
        return Snapshot(
            timestamp=self.timestamp,
            previous=None if self.previous_ms is None else self.previous_ms / 1000,
            interval=self.interval_s,
            values=values,
            sources={group: SourceKind(kind) for group in Group if (kind := getattr(self, group.source_column))},
            problems=recall_problems(json.loads(self.problems), values),
            observed={group: observed[group] for group in Group if group in observed},
        )


def recall_problems(kept: dict[str, str], values: dict[str, Value]) -> dict[str, Problem]:
    """The problems of a row, by metric. Null without one is what a row older than the metric has: `missing`."""
    return {
        key: Problem(kept.get(key, Problem.MISSING)) for key, value in values.items() if key in kept or value is None
    }


for _group in Group:
    models.CharField(max_length=16, null=True).contribute_to_class(SnapshotRecord, _group.source_column)
for _metric in CATALOGUE:
    make_column(_metric).contribute_to_class(SnapshotRecord, _metric.key)
