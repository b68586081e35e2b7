"""Summaries of history by buckets of time, computed by the database."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Avg, BigIntegerField, Count, ExpressionWrapper, F, Max, Min, Sum, Value

from metrics.catalogue import CATALOGUE, Group
from metrics.models import SnapshotRecord
from metrics.models.snapshot_record import to_ms

NUMBERS = [metric for metric in CATALOGUE if metric.is_number]
#: Buckets whose last rows are fetched together (SQLite and PostgreSQL both take far more parameters).
PAGE = 500

Row = dict[str, Any]


def summarise(start: float, end: float, step_s: float) -> Iterator[Row]:
    """Yield one row per bucket of `step_s` seconds that holds a snapshot with start <= timestamp < end, oldest first.

    A row has `time` (the bucket's start, a multiple of `step_s`, Unix seconds), `count`, `problems` (summed), `sources`
    (the kinds that occur, by group; without groups that did not exist yet), `min`, `mean`, `max` and `last` for each
    number, `last` for each text: the value in the bucket's last snapshot, null where it was. Blocking. Raises
    django.db.Error.
    """
    step_ms = max(round(step_s * 1000), 1)
    bucket = ExpressionWrapper(F("time_ms") / Value(step_ms), output_field=BigIntegerField())
    buckets = (
        SnapshotRecord.objects.filter(time_ms__gte=to_ms(start), time_ms__lt=to_ms(end))
        .annotate(bucket=bucket)
        .values("bucket")
        .annotate(count=Count("time_ms"), problems_sum=Sum("problem_count"), last_ms=Max("time_ms"), **AGGREGATES)
        .order_by("bucket")
    )
    page: list[Any] = []
    for found in buckets.iterator(chunk_size=PAGE):
        page.append(found)
        if len(page) == PAGE:
            yield from finish(page, step_ms)
            page = []
    yield from finish(page, step_ms)


AGGREGATES: dict[str, Any] = {
    **{f"{metric.key}_min": Min(metric.key) for metric in NUMBERS},
    **{f"{metric.key}_mean": Avg(metric.key) for metric in NUMBERS},
    **{f"{metric.key}_max": Max(metric.key) for metric in NUMBERS},
    # Of the three kinds the first and the last in the alphabet say whether there is more than one.
    **{f"{group}_first": Min(group.source_column) for group in Group},
    **{f"{group}_last": Max(group.source_column) for group in Group},
}


def finish(page: list[Any], step_ms: int) -> Iterator[Row]:
    """Turn aggregated rows into rows of the answer, with the last values of each bucket."""
    keys = [metric.key for metric in CATALOGUE]
    last_rows = SnapshotRecord.objects.filter(time_ms__in=[row["last_ms"] for row in page]).values("time_ms", *keys)
    last = {row["time_ms"]: row for row in last_rows}
    for row in page:
        if row["last_ms"] not in last:  # deleted for its age a moment ago
            continue
        yield {
            "time": row["bucket"] * step_ms / 1000,
            "count": row["count"],
            "problems": row["problems_sum"],
            "sources": {
                group: sorted({row[f"{group}_first"], row[f"{group}_last"]})
                for group in Group
                if row[f"{group}_first"]  # null where the group did not exist in all of the bucket
            },
            **{metric.key: summary_of(metric.key, row, last[row["last_ms"]]) for metric in CATALOGUE},
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
