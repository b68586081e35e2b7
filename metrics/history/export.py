"""History as text, piece by piece: JSON for programs, CSV for spreadsheets."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.db.models import BigIntegerField, ExpressionWrapper, F, Max, Min, QuerySet

from metrics.history.buckets import Row, summarise
from metrics.history.csv_lines import BUCKET_COLUMNS, SNAPSHOT_COLUMNS, csv_head, csv_lines
from metrics.history.pages import read_pages, read_whole
from metrics.models import SnapshotRecord, SourceSwitch
from metrics.snapshot import Snapshot, to_ms


def read_range(start: float, end: float, encode: Callable[[list[Snapshot]], str]) -> Iterator[str]:
    """All snapshots with start <= timestamp < end (Unix seconds), in their order, in pages (blocking).

    Where they lie in the order is looked up by the times' index, once. Between these ends all rows are read, and those
    left out whose time is another one: few, unless a clock was set. So each page is one sequential read.
    """
    start_ms, end_ms = to_ms(start), to_ms(end)
    inside = SnapshotRecord.objects.filter(time_ms__gte=start_ms, time_ms__lt=end_ms)
    ((first, last),) = read_whole([inside.aggregate(first=Min("id"), last=Max("id")).values()])
    if first is None:
        return iter(())
    records = SnapshotRecord.objects.filter(id__lte=last)
    # An expression, which no index answers: that of the times would be read and sorted anew for each page. Its type is
    # said, or Django takes it for one of 32 bits on PostgreSQL, to which any time of ours is out of range: no row.
    time = ExpressionWrapper(F("time_ms") + 0, output_field=BigIntegerField())
    records = records.annotate(time=time).filter(time__gte=start_ms, time__lt=end_ms)
    return read_pages(records, encode, after=first - 1)


def read_events(start: float, end: float) -> list[dict[str, Any]]:
    """The switches of sources with start <= time < end (Unix seconds), oldest first (blocking)."""
    switches = read_whole(
        SourceSwitch.objects.filter(setting=SourceSwitch.KIND, time_ms__gte=to_ms(start), time_ms__lt=to_ms(end))
    )
    return [
        {"time": s.time_ms / 1000, "group": s.group, "from": s.from_kind, "to": s.to_kind, "by": s.by} for s in switches
    ]


def find_oldest() -> float | None:
    """The lowest time in history, Unix seconds; None: there is nothing (blocking)."""
    oldest_ms: int | None = read_whole([SnapshotRecord.objects.aggregate(oldest=Min("time_ms"))["oldest"]])[0]
    return None if oldest_ms is None else oldest_ms / 1000


def to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def export_json(start: float, end: float, step_s: float | None) -> Iterator[str]:
    """The answer of `/stream/history` in pieces: rows of `step_s` seconds, or all snapshots where that is None."""
    about = {"from": start, "to": end, "step": step_s, "oldest": find_oldest(), "events": read_events(start, end)}
    head = to_json(about)
    if step_s is None:
        name, pages = "snapshots", read_range(start, end, encode_snapshots)
    else:
        name, pages = "rows", map(encode_rows, summarise(start, end, step_s))
    yield f'{head[:-1]},"{name}":['
    separator = ""
    for page in pages:
        yield separator + page
        separator = ","
    yield "]}"


def encode_snapshots(page: list[Snapshot]) -> str:
    """The messages as they were published."""
    return ",".join(snapshot.encode() for snapshot in page)


def encode_rows(page: list[Row]) -> str:
    """The rows of a summary."""
    return ",".join(map(to_json, page))


def export_csv(start: float, end: float, step_s: float | None) -> Iterator[str]:
    """The same as CSV, with a line of column names."""
    if step_s is None:
        yield csv_head(SNAPSHOT_COLUMNS)
        yield from read_range(start, end, partial(csv_lines, SNAPSHOT_COLUMNS))
    else:
        yield csv_head(BUCKET_COLUMNS)
        yield from map(partial(csv_lines, BUCKET_COLUMNS), summarise(start, end, step_s))


def export_records(records: QuerySet[SnapshotRecord]) -> Iterator[str]:
    """A selection of snapshots as CSV, oldest first, with a line of column names."""
    yield csv_head(SNAPSHOT_COLUMNS)
    yield from read_pages(records, partial(csv_lines, SNAPSHOT_COLUMNS))
