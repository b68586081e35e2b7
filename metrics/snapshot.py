"""The snapshot: all metrics at one tick with their provenance. Immutable, and one wire message."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from metrics.catalogue import CATALOGUE, METRICS, Group, Value
from metrics.choices import Choices, SourceKind
from metrics.reading import Problem, Reading


class Message(NamedTuple):
    """A snapshot as it travels: encoded once, with what tells its place in the chain (Unix seconds)."""

    timestamp: float
    previous: float | None
    text: str


class EncodedSnapshot(NamedTuple):
    """A snapshot as it travels: encoded once, with its place in the sequence and the publisher's term."""

    id: int
    previous: int | None
    term: int
    text: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All metrics at one tick.

    `timestamp`: Unix seconds with milliseconds' precision, the snapshot's identity. `previous`: the timestamp of the
    snapshot published before it, None for the first one ever. `interval`: seconds between two snapshots. `values` has
    every key of the catalogue. `observed`: when a group's producer says it wrote, Unix seconds.
    """

    timestamp: float
    previous: float | None
    interval: float
    values: Mapping[str, Value]
    sources: Mapping[Group, SourceKind]
    problems: Mapping[str, Problem]
    observed: Mapping[Group, float]

    def encode(self) -> str:
        """The wire message: flat JSON, the catalogue's keys in its order, between the time and the provenance."""
        message: dict[str, Any] = {
            "timestamp": self.timestamp,
            "datetime": format_time(self.timestamp),
            **{metric.key: self.values[metric.key] for metric in CATALOGUE},
            "previous": self.previous,
            "interval": self.interval,
            "sources": self.sources,
            "problems": self.problems,
            "observed": self.observed,
        }
        return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    def to_message(self) -> Message:
        """Encode, with the place in the chain beside the text."""
        return Message(self.timestamp, self.previous, self.encode())


def format_time(timestamp: float) -> str:
    """Unix seconds as ISO 8601 in UTC with milliseconds: `2024-12-26T00:54:20.123Z`."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def compose_snapshot(
    choices: Choices,
    readings: Mapping[Group, Reading],
    *,
    timestamp: float,
    previous: float | None,
    interval: float,
) -> Snapshot:
    """Join one reading per group into a snapshot, putting fallbacks (with their problem) where staff want them."""
    values: dict[str, Value] = {}
    problems: dict[str, Problem] = {}
    for group, reading in readings.items():
        values.update(reading.values)
        problems.update(reading.problems)
        if choices[group].use_fallbacks:
            for key, value in reading.values.items():
                if value is None:
                    values[key] = METRICS[key].fallback
    return Snapshot(
        timestamp=timestamp,
        previous=previous,
        interval=interval,
        values=values,
        sources={group: choices[group].kind for group in Group},
        problems={metric.key: problems[metric.key] for metric in CATALOGUE if metric.key in problems},
        observed={group: r.observed for group, r in readings.items() if r.observed is not None},
    )
