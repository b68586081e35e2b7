"""Summaries of history by buckets of time, computed by the database."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Avg, BigIntegerField, Count, ExpressionWrapper, F, Max, Min, Sum, Value

from metrics.catalogue import CATALOGUE, Group
from metrics.history.pages import read_whole
from metrics.models import SnapshotRecord
from metrics.snapshot import to_ms

NUMBERS = [metric for metric in CATALOGUE if metric.is_number]
#: Buckets that are read, and sent, at once (SQLite and PostgreSQL both take far more parameters).
PAGE = 500

Row = dict[str, Any]


def summarise(start: float, end: float, step_s: float) -> Iterator[list[Row]]:
    """One row per bucket of `step_s` seconds that holds a snapshot with start <= timestamp < end, oldest first.

    At most PAGE rows at a time, and without a connection while none is asked for. A row has `time` (the bucket's start,
    a multiple of `step_s`, Unix seconds), `count`, `problems` (summed), `sources` (the kinds that occur, by group;
    without groups that did not exist yet), `min`, `mean`, `max` and `last` for each number, `last` for each text: the
    value in the bucket's last snapshot (in their order, not by their clock), null where it was. Blocking. Raises
    django.db.Error.
    """
    step_ms = max(round(step_s * 1000), 1)
    bounds = find_pages(to_ms(start), to_ms(end), step_ms)
    return filter(None, (summarise_page(start_ms, end_ms, step_ms) for start_ms, end_ms in bounds))


def find_pages(position_ms: int, end_ms: int, step_ms: int) -> Iterator[tuple[int, int]]:
    """Where each page begins and ends, from the next snapshot on: where there is none, nothing is read (blocking)."""
    while position_ms < end_ms:
        rest = SnapshotRecord.objects.filter(time_ms__gte=position_ms, time_ms__lt=end_ms).order_by("time_ms")
        first = read_whole(rest.values_list("time_ms", flat=True)[:1])
        if not first:
            return
        position_ms = min((first[0] // step_ms + PAGE) * step_ms, end_ms)
        yield first[0], position_ms


def summarise_page(start_ms: int, end_ms: int, step_ms: int) -> list[Row]:
    """The rows of the buckets with start_ms <= time_ms < end_ms (blocking)."""
    bucket = ExpressionWrapper(F("time_ms") / Value(step_ms), output_field=BigIntegerField())
    buckets: list[Any] = read_whole(
        SnapshotRecord.objects.filter(time_ms__gte=start_ms, time_ms__lt=end_ms)
        .annotate(bucket=bucket)
        .values("bucket")
        .annotate(count=Count("id"), problems_sum=Sum("problem_count"), last_id=Max("id"), **AGGREGATES)
        .order_by("bucket")
    )
    keys = [metric.key for metric in CATALOGUE]
    last_ids = [row["last_id"] for row in buckets]
    last = {row["id"]: row for row in read_whole(SnapshotRecord.objects.filter(id__in=last_ids).values("id", *keys))}
    return [
        {
            "time": row["bucket"] * step_ms / 1000,
            "count": row["count"],
            "problems": row["problems_sum"],
            "sources": {
                group: sorted({row[f"{group}_first"], row[f"{group}_last"]})
                for group in Group
                if row[f"{group}_first"]  # null where the group did not exist in all of the bucket
            },
            **{metric.key: summary_of(metric.key, row, last[row["last_id"]]) for metric in CATALOGUE},
        }
        for row in buckets
        if row["last_id"] in last  # not deleted for its age a moment ago
    ]


AGGREGATES: dict[str, Any] = {
    **{f"{metric.key}_min": Min(metric.key) for metric in NUMBERS},
    **{f"{metric.key}_mean": Avg(metric.key) for metric in NUMBERS},
    **{f"{metric.key}_max": Max(metric.key) for metric in NUMBERS},
    # Of the three kinds the first and the last in the alphabet say whether there is more than one.
    **{f"{group}_first": Min(group.source_column) for group in Group},
    **{f"{group}_last": Max(group.source_column) for group in Group},
}


def summary_of(key: str, row: dict[str, Any], last: dict[str, Any]) -> Row:
    """One metric's part of a row."""
    if f"{key}_min" not in row:
        return {"last": last[key]}
    mean = row[f"{key}_mean"]
    return {
        "min": row[f"{key}_min"],
        "mean": None if mean is None else round(float(mean), 6),
        "max": row[f"{key}_max"],
        "last": last[key],
    }
