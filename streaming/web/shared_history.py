"""History as a share link shows it: the same pieces as of metrics.history.export, without what is not shared."""

from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from typing import Any

from access.share import PARTS, Message, Share, metrics_shown, show_events, show_message, show_row
from metrics.catalogue import METRICS, Group
from metrics.history.buckets import summarise
from metrics.history.csv_lines import Column, csv_head, csv_lines
from metrics.history.export import find_oldest, read_events, read_range, to_json
from metrics.snapshot import KEYS, Snapshot, format_time

Columns = list[Column[Message]]


def export_shared_json(share: Share, start: float, end: float, step_s: float | None) -> Iterator[str]:
    """As metrics.history.export.export_json."""
    events = list(show_events(read_events(start, end), share))
    head = to_json({"from": start, "to": end, "step": step_s, "oldest": find_oldest(), "events": events})
    name = "snapshots" if step_s is None else "rows"
    yield f'{head[:-1]},"{name}":['
    separator = ""
    for page in read_shared(share, start, end, step_s, lambda messages: ",".join(map(to_json, messages))):
        yield separator + page
        separator = ","
    yield "]}"


def export_shared_csv(share: Share, start: float, end: float, step_s: float | None) -> Iterator[str]:
    """As metrics.history.export.export_csv."""
    columns = snapshot_columns(share) if step_s is None else bucket_columns(share)
    yield csv_head(columns)
    yield from read_shared(share, start, end, step_s, partial(csv_lines, columns))


def read_shared(
    share: Share, start: float, end: float, step_s: float | None, encode: Callable[[Iterator[Message]], str]
) -> Iterator[str]:
    """What `encode` makes of each page of what is shown of snapshots, or of rows of `step_s` seconds (blocking)."""
    if step_s is not None:
        for rows in summarise(start, end, step_s):
            yield encode(show_row(row, share) for row in rows)
        return

    def encode_page(page: list[Snapshot]) -> str:
        return encode(show_message(snapshot.to_dict(), share) for snapshot in page)

    yield from read_range(start, end, encode_page)


def snapshot_columns(share: Share) -> Columns:
    """The columns of single snapshots."""
    return [column for key in KEYS for column in wire_columns(key, share)]


def wire_columns(key: str, share: Share) -> Columns:
    """What stands in CSV of the message's `key`, as in metrics.history.csv_lines."""
    if key in METRICS:
        metric = metrics_shown(share).get(key)
        return [Column(metric.key, itemgetter(metric.key))] if metric else []
    if key == "sources":
        return [source_column(group, lambda kind: kind) for group in groups_of(share)]
    if key == "problems":
        return [Column(key, lambda message: " ".join(f"{name}:{why}" for name, why in message["problems"].items()))]
    return [] if key == "observed" else [Column(key, itemgetter(key))]


def bucket_columns(share: Share) -> Columns:
    """The columns of summaries."""
    metrics = metrics_shown(share).values()
    return [
        Column("time", itemgetter("time")),
        Column("datetime", lambda row: format_time(row["time"])),
        Column("count", itemgetter("count")),
        *(source_column(group, lambda kinds: "+".join(kinds or ())) for group in groups_of(share)),
        *(part_column(metric.key, part) for metric in metrics if metric.is_number for part in PARTS),
        *(part_column(metric.key, "last") for metric in metrics if not metric.is_number),
    ]


def source_column(group: Group, show: Callable[[Any], object]) -> Column[Message]:
    """Where a group's values came from."""
    return Column(group.source_column, lambda message: show(message["sources"].get(group)))


def part_column(key: str, part: str) -> Column[Message]:
    """One part of a metric's summary."""
    return Column(f"{key}_{part}", lambda row: row[key][part])


def groups_of(share: Share) -> list[Group]:
    """The groups that are shown, in the catalogue's order."""
    return [group for group in Group if group in share.groups]
