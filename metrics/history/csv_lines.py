"""History's columns as CSV (RFC 4180): each is declared once, with its name and what stands in it."""

import csv
import io
from collections.abc import Callable, Iterable
from operator import attrgetter, itemgetter
from typing import Generic, NamedTuple, TypeVar

from metrics.catalogue import CATALOGUE, METRICS, Group
from metrics.history.buckets import NUMBERS, Row
from metrics.snapshot import KEYS, Snapshot, format_time

Line = TypeVar("Line")

#: What a spreadsheet runs as a formula where a cell begins with it: the signs, the same in full width (which some
#: spreadsheets convert), and the white space that is dropped before them.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Column(NamedTuple, Generic[Line]):
    """A column's name, and how its cell is got from what the line is about."""

    name: str
    cell: Callable[[Line], object]


def wire_columns(key: str) -> list[Column[Snapshot]]:
    """What stands in CSV of the message's `key`: the sources have a column each, when producers wrote has none."""
    if key == "observed":
        return []
    if key == "sources":
        return [source_column(group) for group in Group]
    if key in METRICS:
        return [Column(key, lambda snapshot: snapshot.values[key])]
    return [Column(key, CELLS.get(key) or attrgetter(key))]


def source_column(group: Group) -> Column[Snapshot]:
    """Where a group's values came from; empty where it did not exist yet."""
    return Column(group.source_column, lambda snapshot: snapshot.sources.get(group))


def part_column(key: str, part: str) -> Column[Row]:
    """One part of a metric's summary."""
    return Column(f"{key}_{part}", lambda row: row[key][part])


def sources_column(group: Group) -> Column[Row]:
    """Every kind of source that occurs in a bucket."""
    return Column(group.source_column, lambda row: "+".join(row["sources"].get(group, ())))


def problems_cell(row: Row) -> str:
    """Which metrics of a bucket had which problem, and in how many snapshots: `ram:stale=12 pnl:missing=3`."""
    return " ".join(
        f"{metric.key}:{problem}={count}"
        for metric in CATALOGUE
        for problem, count in row[metric.key].get("problems", {}).items()
    )


CELLS: dict[str, Callable[[Snapshot], object]] = {
    "datetime": lambda snapshot: format_time(snapshot.timestamp),
    "problems": lambda snapshot: " ".join(f"{key}:{problem}" for key, problem in snapshot.problems.items()),
}
SNAPSHOT_COLUMNS: list[Column[Snapshot]] = [column for key in KEYS for column in wire_columns(key)]
BUCKET_COLUMNS: tuple[Column[Row], ...] = (
    Column("time", itemgetter("time")),
    Column("datetime", lambda row: format_time(row["time"])),
    Column("count", itemgetter("count")),
    Column("problems", problems_cell),
    *(sources_column(group) for group in Group),
    *(part_column(metric.key, part) for metric in NUMBERS for part in ("min", "mean", "max", "last")),
    *(part_column(metric.key, "last") for metric in CATALOGUE if not metric.is_number),
)


def csv_head(columns: Iterable[Column[Line]]) -> str:
    """The line of column names."""
    return to_csv([[column.name for column in columns]])


def csv_lines(columns: Iterable[Column[Line]], lines: Iterable[Line]) -> str:
    """One line of CSV for each of `lines`."""
    cells = [column.cell for column in columns]
    return to_csv([cell(line) for cell in cells] for line in lines)


def to_csv(lines: Iterable[Iterable[object]]) -> str:
    """CSV of `lines`; a text that a spreadsheet would run as a formula gets an apostrophe before it."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows([disarm(cell) for cell in line] for line in lines)
    return buffer.getvalue()


def disarm(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_SIGNS) else cell
