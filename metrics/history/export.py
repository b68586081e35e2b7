"""History as text, piece by piece: JSON for programs, CSV for spreadsheets."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from metrics.catalogue import CATALOGUE, Group
from metrics.history.buckets import NUMBERS, Row, summarise
from metrics.models import SnapshotRecord, SourceSwitch
from metrics.models.snapshot_record import to_ms
from metrics.snapshot import KEYS, Snapshot, format_time

#: Snapshots read from the database, and sent, at once.
PAGE = 1000

SOURCE_COLUMNS = [group.source_column for group in Group]
#: The message's keys in their order; the sources have a column each, `observed` has none.
SNAPSHOT_COLUMNS = [
    column for key in KEYS if key != "observed" for column in (SOURCE_COLUMNS if key == "sources" else [key])
]
BUCKET_COLUMNS = (
    "time",
    "datetime",
    "count",
    "problems",
    *SOURCE_COLUMNS,
    *(f"{metric.key}_{part}" for metric in NUMBERS for part in ("min", "mean", "max", "last")),
    *(f"{metric.key}_last" for metric in CATALOGUE if not metric.is_number),
)


def read_pages(start: float, end: float) -> Iterator[list[Snapshot]]:
    """All snapshots with start <= timestamp < end (Unix seconds), oldest first, PAGE at a time (blocking)."""
    after_ms = to_ms(start) - 1
    while True:
        records = SnapshotRecord.objects.filter(time_ms__gt=after_ms, time_ms__lt=to_ms(end)).order_by("time_ms")[:PAGE]
        page = [record.to_snapshot() for record in records]
        if page:
            yield page
        if len(page) < PAGE:
            return
        after_ms = to_ms(page[-1].timestamp)


def read_events(start: float, end: float) -> list[dict[str, Any]]:
    """The switches of sources with start <= time < end (Unix seconds), oldest first (blocking)."""
    switches = SourceSwitch.objects.filter(time_ms__gte=to_ms(start), time_ms__lt=to_ms(end))
    return [
        {"time": s.time_ms / 1000, "group": s.group, "from": s.from_kind, "to": s.to_kind, "by": s.by} for s in switches
    ]


def to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def export_json(start: float, end: float, step_s: float | None) -> Iterator[str]:
    """The answer of `/stream/history` in pieces: rows of `step_s` seconds, or all snapshots where that is None."""
    head = to_json({"from": start, "to": end, "step": step_s, "events": read_events(start, end)})
    pages: Iterable[list[str]]
    if step_s is None:
        name, pages = "snapshots", ([s.encode() for s in page] for page in read_pages(start, end))
    else:
        name, pages = "rows", ([to_json(row)] for row in summarise(start, end, step_s))
    yield f'{head[:-1]},"{name}":['
    separator = ""
    for page in pages:
        yield separator + ",".join(page)
        separator = ","
    yield "]}"


def export_csv(start: float, end: float, step_s: float | None) -> Iterator[str]:
    """The same as CSV (RFC 4180), with a line of column names."""
    if step_s is None:
        yield to_csv([SNAPSHOT_COLUMNS])
        for page in read_pages(start, end):
            yield to_csv(map(snapshot_line, page))
    else:
        yield to_csv([BUCKET_COLUMNS])
        for row in summarise(start, end, step_s):
            yield to_csv([bucket_line(row)])


def snapshot_line(snapshot: Snapshot) -> list[Any]:
    """A snapshot's cells, in the order of SNAPSHOT_COLUMNS."""
    cells = snapshot.to_dict()
    cells["problems"] = " ".join(f"{key}:{problem}" for key, problem in snapshot.problems.items())
    cells.update({group.source_column: kind for group, kind in snapshot.sources.items()})
    return [cells.get(column) for column in SNAPSHOT_COLUMNS]


def bucket_line(row: Row) -> list[Any]:
    """A bucket's cells, in the order of BUCKET_COLUMNS."""
    return [
        row["time"],
        format_time(row["time"]),
        row["count"],
        row["problems"],
        *("+".join(row["sources"].get(group, ())) for group in Group),
        *(row[metric.key][part] for metric in NUMBERS for part in ("min", "mean", "max", "last")),
        *(row[metric.key]["last"] for metric in CATALOGUE if not metric.is_number),
    ]


def to_csv(lines: Iterable[Iterable[Any]]) -> str:
    """CSV of `lines`; a text that a spreadsheet would run as a formula gets an apostrophe before it."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows([disarm(cell) for cell in line] for line in lines)
    return buffer.getvalue()


def disarm(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")) else cell
