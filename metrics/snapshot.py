"""The snapshot: all metrics at one tick with their provenance. Immutable, and one wire message."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from metrics.catalogue import CATALOGUE, LARGEST_INTEGER, METRICS, Group, Metric, SourceKind, Value
from metrics.choices import Choices
from metrics.reading import Problem, Readings

#: Every key of a message in its order, which is part of the contract.
KEYS = ("timestamp", "datetime", *METRICS, "id", "previous", "interval", "sources", "problems", "observed")

GROUPS = tuple(Group)
ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

#: The end of the year 9999, Unix seconds: later is not to be written as ISO 8601 with four digits.
END_OF_CALENDAR = 253_402_300_800.0


class EncodedSnapshot(NamedTuple):
    """A snapshot as it travels: encoded once, with its place in the sequence.

    `previous`: None where it is not known. `term`: the number of the tenure of whoever published it.
    """

    id: int
    previous: int | None
    term: int
    text: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All metrics at one tick.

    `id`: its identity, higher than that of every snapshot published before; says nothing about time. `previous`: the id
    of the one published before it, None where that is not known (the first one ever, one after a break). `timestamp`:
    the publishing host's clock, Unix seconds with milliseconds' precision. `interval`: seconds between two snapshots.
    `values` has every key of the catalogue. `sources` has every group, but for those that did not exist yet when it was
    published. `observed`: when a group's producer says it wrote, Unix seconds.
    """

    id: int
    previous: int | None
    timestamp: float
    interval: float
    values: Mapping[str, Value]
    sources: Mapping[Group, SourceKind]
    problems: Mapping[str, Problem]
    observed: Mapping[Group, float]

    @property
    def stand_ins(self) -> dict[str, Value]:
        """What is shown in place of values, by metric: a silent producer's last one, or the fallback."""
        return {key: self.values[key] for key in self.problems if self.values[key] is not None}

    def to_dict(self) -> dict[str, Any]:
        """The wire message before it is encoded: KEYS, in their order."""
        values = self.values
        return {
            "timestamp": self.timestamp,
            "datetime": format_time(self.timestamp),
            **{key: values[key] for key in METRICS},
            "id": self.id,
            "previous": self.previous,
            "interval": self.interval,
            "sources": self.sources,
            "problems": self.problems,
            "observed": self.observed,
        }

    def encode(self) -> str:
        """The wire message: flat JSON."""
        return ENCODER.encode(self.to_dict())

    def to_encoded(self, term: int) -> EncodedSnapshot:
        """Encode, with the place in the sequence beside the text; `term` is the publisher's."""
        return EncodedSnapshot(self.id, self.previous, term, self.encode())


def to_ms(timestamp: float) -> int:
    """Unix seconds as whole milliseconds."""
    return round(timestamp * 1000)


def next_id(last: int | None, now_s: float) -> int:
    """The id of a snapshot that is published at `now_s` (Unix seconds) after the one with the id `last`.

    A hybrid logical clock: the time in milliseconds as long as clocks behave, one more than `last` where one was set
    back. It is the very millisecond of the `timestamp`, which is rounded first: one serves for the other in `since`.
    """
    now_ms = to_ms(round(now_s, 3))
    return now_ms if last is None else max(now_ms, last + 1)


def format_time(timestamp: float) -> str:
    """Unix seconds as ISO 8601 in UTC with milliseconds: `2024-12-26T00:54:20.123Z`."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def compose_snapshot(
    choices: Choices,
    readings: Readings,
    *,
    id: int,  # noqa: A002 - the wire's word
    previous: int | None,
    timestamp: float,
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
        id=id,
        previous=previous,
        timestamp=timestamp,
        interval=interval,
        values=values,
        sources={group: choices[group].kind for group in GROUPS},
        problems={metric.key: problems[metric.key] for metric in CATALOGUE if metric.key in problems},
        observed={group: r.observed for group, r in readings.items() if r.observed is not None},
    )


# --- back from what was kept ---


def decode_snapshot(text: str) -> Snapshot:
    """The snapshot that `text`, a wire message, was encoded from. Raises ValueError where it is none of this release.

    What another release had and this one has not is left out, or missing, as in `recall_snapshot`.
    """
    try:
        message = json.loads(text)
        return recall_snapshot(
            id=message["id"],
            previous=message["previous"],
            timestamp=message["timestamp"],
            interval=message["interval"],
            values={key: message.get(key) for key in METRICS},
            sources=message["sources"],
            problems=message["problems"],
            observed=message["observed"],
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a snapshot: {error!r}") from error


def recall_snapshot(
    *,
    id: int,  # noqa: A002 - the wire's word
    previous: int | None,
    timestamp: float,
    interval: float,
    values: dict[str, Value],
    sources: Mapping[str, str | None],
    problems: Mapping[str, str],
    observed: Mapping[str, float],
) -> Snapshot:
    """The snapshot that these parts were of. Raises ValueError where they cannot be: an unknown kind of source, say.

    As far as the catalogue is still what it was then: what a metric had that is gone now is left out, one that did not
    exist is `missing`, and a group that did not exist has no source.
    """
    for name, part in (("sources", sources), ("problems", problems), ("observed", observed)):
        if not isinstance(part, dict):
            raise ValueError(f"{name} is {part!r}, not an object")
    for name, number in (("id", id), ("previous", id if previous is None else previous)):
        if type(number) is not int or not -(2**63) < number < 2**63:
            raise ValueError(f"{name} is {number!r}, not a number that can be kept")
    times = {"timestamp": timestamp, "interval": interval, **observed}
    for name, seconds in times.items():
        if type(seconds) not in {int, float} or not math.isfinite(seconds):
            raise ValueError(f"{name} is {seconds!r}, not a number of seconds")
    if not 0 <= timestamp < END_OF_CALENDAR:
        raise ValueError(f"timestamp is {timestamp!r}, which is no time between 1970 and 9999")
    for key, value in values.items():
        if value is not None and not can_be_kept(METRICS[key], value):
            raise ValueError(f"{key} is {value!r}")
    return Snapshot(
        id=id,
        previous=previous,
        timestamp=timestamp,
        interval=interval,
        values=values,
        sources={group: SourceKind(kind) for group in Group if (kind := sources.get(group)) is not None},
        problems=recall_problems(problems, values),
        observed={group: observed[group] for group in Group if group in observed},
    )


def recall_problems(kept: Mapping[str, str], values: dict[str, Value]) -> dict[str, Problem]:
    """Each metric's problem. Null without one is what a snapshot from before the metric has: `missing`."""
    return {
        key: Problem(kept.get(key, Problem.MISSING)) for key, value in values.items() if key in kept or value is None
    }


def can_be_kept(metric: Metric, value: object) -> bool:
    """Whether the column of `metric` takes `value`; its range may have been another one in another release."""
    if metric.type is str:
        return isinstance(value, str) and len(value) <= metric.maximum
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and (metric.type is float or (type(value) is int and abs(value) <= LARGEST_INTEGER))
