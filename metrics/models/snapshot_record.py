"""One published snapshot in the database."""

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models

from metrics.catalogue import CATALOGUE, METRICS, Group, Metric, Value
from metrics.snapshot import EncodedSnapshot, Snapshot, format_time, recall_snapshot, to_ms


def make_column(metric: Metric) -> "models.Field[Any, Any]":
    """The typed column that keeps the values of `metric`; null where the snapshot has null, or what stood in for one.

    So all that the database computes of the column (lowest, mean, highest) is of values of their own, at no cost.
    """
    if metric.type is float:
        return models.FloatField(metric.label, null=True)
    if metric.type is int:
        return models.BigIntegerField(metric.label, null=True)
    return models.CharField(metric.label, max_length=int(metric.maximum), null=True)


class SnapshotRecord(models.Model):
    """A snapshot as it was published. The columns of the groups and metrics come from the catalogue, below.

    A row from before a metric or a group existed has null in its column.
    """

    # BigAutoField, although nothing is counted up: only it becomes SQLite's "integer primary key", the order that the
    # table itself is kept in, so that a stretch of the sequence is one sequential read without an index.
    id = models.BigAutoField(primary_key=True, help_text="The place in the sequence; says nothing about time.")
    time_ms = models.BigIntegerField("time", db_index=True, help_text="Unix milliseconds.")
    previous = models.BigIntegerField(null=True, help_text="The id of the snapshot published before; null: not known.")
    term = models.BigIntegerField(default=0, help_text="The number of the tenure of whoever published it.")
    interval_s = models.FloatField()
    problem_count = models.PositiveSmallIntegerField()
    problems = models.TextField(help_text="JSON: metric to problem.")
    observed = models.TextField(help_text="JSON: group to Unix seconds.")
    stand_ins = models.TextField(
        default="",
        db_default="",  # a publisher of the release before may still be writing
        help_text="JSON: metric to what was shown in place of a value of its own: a silent producer's last one, or the "
        "fallback. `problems` says why. Empty: nothing was.",
    )

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name = "snapshot"
        verbose_name_plural = "history of snapshots"
        indexes: ClassVar = [
            # Problems are rare and looked for: an index of their own keeps a search fast among a million rows.
            models.Index(fields=["-id"], condition=models.Q(problem_count__gt=0), name="snapshots_with_problems")
        ]

    def __str__(self) -> str:
        return self.shown_time

    @property
    def shown_time(self) -> str:
        """The time as people read it; as a number where no calendar has it."""
        try:
            return format_time(self.timestamp)
        except (ValueError, OverflowError, OSError):
            return f"{self.time_ms} ms"

    @property
    def timestamp(self) -> float:
        """Unix seconds."""
        return self.time_ms / 1000

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot, term: int) -> "SnapshotRecord":
        """The row that keeps `snapshot`, published in the tenure `term`."""
        return cls(**cls.columns_of(snapshot, term))

    @staticmethod
    def columns_of(snapshot: Snapshot, term: int) -> dict[str, Value]:
        """The same as values by their columns' names."""
        problems, observed, stand_ins = snapshot.problems, snapshot.observed, snapshot.stand_ins
        return {
            "id": snapshot.id,
            "time_ms": to_ms(snapshot.timestamp),
            "previous": snapshot.previous,
            "term": term,
            "interval_s": snapshot.interval,
            "problem_count": len(problems),
            "problems": json.dumps(problems) if problems else "{}",
            "observed": json.dumps(observed) if observed else "{}",
            "stand_ins": json.dumps(stand_ins) if stand_ins else "",
            **{group.source_column: str(kind) for group, kind in snapshot.sources.items()},
            **snapshot.values,
            **dict.fromkeys(stand_ins),
        }

    def read_stand_ins(self) -> dict[str, Value]:
        """What stood in for values. Raises ValueError where that cannot be read."""
        return parse_stand_ins(self.stand_ins)

    def shown(self, key: str) -> Value:
        """What was published for the metric `key`: its own value, or what stood in for it, where that is readable."""
        value: Value = getattr(self, key)
        if value is None and self.stand_ins:
            with suppress(ValueError):
                return self.read_stand_ins().get(key)
        return value

    def to_snapshot(self) -> Snapshot:
        """The snapshot that this row keeps; it encodes to the very message that was published.

        Raises ValueError, naming the row, where it cannot be read: a kind of source that a newer release knows, or what
        a hand or a broken disk has left. See metrics.history.readable.
        """
        try:
            return recall_snapshot(
                id=self.id,
                previous=self.previous,
                timestamp=self.timestamp,
                interval=self.interval_s,
                values={**{key: getattr(self, key) for key in METRICS}, **self.read_stand_ins()},
                sources={group: getattr(self, group.source_column) for group in Group},
                problems=json.loads(self.problems),
                observed=json.loads(self.observed),
            )
        except (ValueError, TypeError) as error:
            raise ValueError(f"snapshot {self.id} in history cannot be read: {error}") from error

    def to_encoded(self) -> EncodedSnapshot:
        """The message that was published, and its place in the sequence. Raises ValueError as `to_snapshot`."""
        return self.to_snapshot().to_encoded(self.term)


def parse_stand_ins(text: str) -> dict[str, Value]:
    """The column `stand_ins`, as far as the catalogue still has its metrics. Raises ValueError where it is damaged."""
    if not text:
        return {}
    kept = json.loads(text)
    if not isinstance(kept, dict):
        raise ValueError(f"stand_ins is {kept!r}, not an object")
    return {key: value for key, value in kept.items() if key in METRICS}


for _group in Group:
    models.CharField(max_length=16, null=True).contribute_to_class(SnapshotRecord, _group.source_column)
for _metric in CATALOGUE:
    make_column(_metric).contribute_to_class(SnapshotRecord, _metric.key)
