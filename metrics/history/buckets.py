"""Summaries of history by buckets of time, computed by the database: of real values only.

A metric's column holds values of its own and nothing that stood in for one, so what the database computes of it is
real, unless the source was simulated. A bucket that mixes simulated with real is computed again without the simulated
rows: few do, one for each switch.
"""

from collections.abc import Iterator
from typing import Any

from django.db.models import Avg, BigIntegerField, Count, ExpressionWrapper, F, Max, Min, Q, Sum, Value

from metrics.catalogue import CATALOGUE, Group, SourceKind
from metrics.history.flaws import count_flaws
from metrics.history.pages import read_whole
from metrics.models import SnapshotRecord
from metrics.models.snapshot_record import parse_stand_ins
from metrics.snapshot import to_ms

NUMBERS = [metric for metric in CATALOGUE if metric.is_number]
#: Buckets that are read, and sent, at once (SQLite and PostgreSQL both take far more parameters).
PAGE = 500

Row = dict[str, Any]


def summarise(start: float, end: float, step_s: float) -> Iterator[list[Row]]:
    """One row per bucket of `step_s` seconds that holds a snapshot with start <= timestamp < end, oldest first.

    At most PAGE rows at a time, and without a connection while none is asked for. A row has `time` (the bucket's start,
    a multiple of `step_s`, Unix seconds), `count`, `problems` (summed), `sources` (the kinds that occur, by group;
    without groups that did not exist yet), and for each metric a summary, see `summary_of`. Blocking. Raises
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
    records = (
        SnapshotRecord.objects.filter(time_ms__gte=start_ms, time_ms__lt=end_ms)
        .annotate(bucket=bucket)
        .order_by("bucket")
        .values("bucket")
    )
    buckets: list[Any] = read_whole(
        records.annotate(count=Count("id"), problems_sum=Sum("problem_count"), last_id=Max("id"), **AGGREGATES)
    )
    flawed = [row["bucket"] for row in buckets if row["problems_sum"]]
    flaws = count_flaws(records.filter(within(flawed, step_ms))) if flawed else {}
    mixed = [row["bucket"] for row in buckets if any(is_mixed(row, group) for group in Group)]
    if mixed:
        again: list[Any] = read_whole(records.filter(within(mixed, step_ms)).annotate(**REAL_AGGREGATES))
        leave_out_simulated(buckets, {row["bucket"]: row for row in again})
    last_ids = [row["last_id"] for row in buckets]
    last = {row["id"]: row for row in read_whole(SnapshotRecord.objects.filter(id__in=last_ids).values(*LAST_COLUMNS))}
    return [
        {
            "time": row["bucket"] * step_ms / 1000,
            "count": row["count"],
            "problems": row["problems_sum"],
            "sources": {group: kinds for group in Group if (kinds := kinds_of(row, group))},
            **summaries_of(row, last[row["last_id"]], flaws.get(row["bucket"], {})),
        }
        for row in buckets
        if row["last_id"] in last  # not deleted for its age a moment ago
    ]


def within(numbers: list[int], step_ms: int) -> Q:
    """The stretch of time from the first to the last of these buckets."""
    return Q(time_ms__gte=numbers[0] * step_ms, time_ms__lt=(numbers[-1] + 1) * step_ms)


AGGREGATES: dict[str, Any] = {
    **{f"{metric.key}_min": Min(metric.key) for metric in NUMBERS},
    **{f"{metric.key}_mean": Avg(metric.key) for metric in NUMBERS},
    **{f"{metric.key}_max": Max(metric.key) for metric in NUMBERS},
    # The first and the last kind in the alphabet say whether there is more than one.
    **{f"{group}_first": Min(group.source_column) for group in Group},
    **{f"{group}_last": Max(group.source_column) for group in Group},
}


def is_simulated(group: Group) -> Q:
    """The rows in which the values of `group` are invented."""
    return Q(**{group.source_column: SourceKind.MOCK.value})


#: The same without simulated rows, and which kinds there are.
REAL_AGGREGATES: dict[str, Any] = {
    **{f"{metric.key}_min": Min(metric.key, filter=~is_simulated(metric.group)) for metric in NUMBERS},
    **{f"{metric.key}_mean": Avg(metric.key, filter=~is_simulated(metric.group)) for metric in NUMBERS},
    **{f"{metric.key}_max": Max(metric.key, filter=~is_simulated(metric.group)) for metric in NUMBERS},
    **{
        f"{group}_of_{kind}": Count("id", filter=Q(**{group.source_column: kind.value}))
        for group in Group
        for kind in SourceKind
    },
}
LAST_COLUMNS = ("id", "stand_ins", *(metric.key for metric in CATALOGUE), *(group.source_column for group in Group))


def is_mixed(row: Row, group: Group) -> bool:
    """Whether more than one kind of source answered for `group` in a bucket."""
    return bool(row[f"{group}_first"] != row[f"{group}_last"])


def leave_out_simulated(buckets: list[Row], again: dict[int, Row]) -> None:
    """Put into the mixed ones of `buckets` what `again` says of them."""
    for row in buckets:
        real = again.get(row["bucket"])
        if real is None:
            continue
        for group in Group:
            if is_mixed(row, group):
                row[f"{group}_kinds"] = [kind.value for kind in SourceKind if real[f"{group}_of_{kind}"]]
        for metric in NUMBERS:
            if SourceKind.MOCK in row.get(f"{metric.group}_kinds", ()):
                row.update({f"{metric.key}_{part}": real[f"{metric.key}_{part}"] for part in ("min", "mean", "max")})


def kinds_of(row: Row, group: Group) -> list[str]:
    """The kinds of source that occur in a bucket; none where the group did not exist in all of it."""
    first, last = row[f"{group}_first"], row[f"{group}_last"]
    return sorted(row.get(f"{group}_kinds") or {first, last} - {None})


def summaries_of(row: Row, last: Row, flaws: dict[str, dict[str, int]]) -> Row:
    """A bucket's summary of each metric; `last` is its last row, `flaws` counts the problems by metric and kind."""
    try:
        stand_ins = parse_stand_ins(last["stand_ins"])
    except ValueError:
        stand_ins = {}
    found = {}
    for metric in CATALOGUE:
        simulated = SourceKind.MOCK.value
        is_left_out = (
            simulated in row.get(f"{metric.group}_kinds", ()) and last[metric.group.source_column] == simulated
        )
        summary = summary_of(metric.key, row, None if is_left_out else last[metric.key])
        if metric.key in stand_ins:
            summary["stand_in"] = stand_ins[metric.key]
        if metric.key in flaws:
            summary["problems"] = flaws[metric.key]
        found[metric.key] = summary
    return found


def summary_of(key: str, row: Row, last: Any) -> Row:
    """One metric's part of a row: of a number `min`, `mean` and `max`, of any `last`.

    All are values of their own, and real where any in the bucket is (simulated where all are): null where there is
    none. `last` is that of the bucket's last snapshot (in their order, not by their clock). What that one showed in
    place of a value is added as `stand_in`, how many snapshots had which problem as `problems`.
    """
    if f"{key}_min" not in row:
        return {"last": last}
    mean = row[f"{key}_mean"]
    return {
        "min": row[f"{key}_min"],
        "mean": None if mean is None else round(float(mean), 6),
        "max": row[f"{key}_max"],
        "last": last,
    }
