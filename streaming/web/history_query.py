"""What somebody asks history for, parsed strictly: every mistake is told with what is allowed."""

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

#: The most rows that a summary may have (and one more, where the range begins within a bucket).
MOST_BUCKETS = 5000
DEFAULT_RANGE_S = 3600.0
#: The year 3000: later is a mistake (milliseconds, say).
LATEST = 32_503_680_000.0
ALLOWED = {"from", "to", "step", "points", "format"}


class BadQueryError(ValueError):
    """The query cannot be answered; the message says what is wrong and what is allowed."""


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """A range of time (Unix seconds, start included, end not) and, for summaries, the bucket's length in seconds."""

    start: float
    end: float
    step_s: float | None
    format: str


def parse_query(query: Mapping[str, str], find_newest: Callable[[], float | None] = lambda: None) -> HistoryQuery:
    """Return what the parameters of `/stream/history` ask for.

    `find_newest`: the time of the newest snapshot (Unix seconds), asked where no end is given. Raises BadQueryError,
    and what `find_newest` raises.
    """
    if unknown := set(query) - ALLOWED:
        raise BadQueryError(f"Unknown parameter {min(unknown)[:40]!r}; there are {', '.join(sorted(ALLOWED))}.")
    end = parse_time("to", query["to"]) if "to" in query else find_default_end(find_newest())
    start = parse_time("from", query["from"]) if "from" in query else max(end - DEFAULT_RANGE_S, 0)
    if start >= end:
        raise BadQueryError(f"from ({start:.3f}) must be before to ({end:.3f}).")
    format_name = query.get("format", "json")
    if format_name not in {"json", "csv"}:
        raise BadQueryError(f"format is {format_name[:40]!r}; it must be json or csv.")
    return HistoryQuery(start, end, parse_step(query, end - start), format_name)


def find_default_end(newest: float | None) -> float:
    """Now, or just after the `newest` snapshot where the publisher's clock is ahead of this one.

    In whole seconds, so that a page that asks twice in one gets the same answer from its cache.
    """
    now = time.time()
    return min(math.ceil(now if newest is None else max(now, newest + 0.001)), LATEST)


def parse_time(name: str, text: str) -> float:
    """Unix seconds from Unix seconds or ISO 8601 with a zone. Raises BadQueryError."""
    try:
        seconds = parse_number(text)
    except ValueError:
        seconds = parse_iso(name, text)
    if not 0 <= seconds <= LATEST:  # false for nan, too
        raise BadQueryError(f"{name} is {text[:40]!r}, not a time between 1970 and 3000 in Unix seconds.")
    return abs(round(seconds, 3))  # not -0.0


def parse_number(text: str) -> float:
    """A number as JSON or a shell would write it; Python's own further ways (1_000, ٣, spaces) are mistakes here.

    Raises ValueError.
    """
    if not text.isascii() or "_" in text or text != text.strip():
        raise ValueError(f"{text[:40]!r} is not a number")
    return float(text)


def parse_iso(name: str, text: str) -> float:
    """Unix seconds from ISO 8601; a `+` of the zone may have come as the space that it means in a query string."""
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise BadQueryError(
            f"{name} is {text[:40]!r}; it must be Unix seconds (1735174460.123) or ISO 8601 with a zone "
            "(2024-12-26T00:54:20Z)."
        ) from None
    if moment.tzinfo is None:
        raise BadQueryError(f"{name} is {text[:40]!r}, without a zone; add Z for UTC, or an offset such as +02:00.")
    return moment.timestamp()


def parse_step(query: Mapping[str, str], range_s: float) -> float | None:
    """The bucket's length in seconds from `step` or `points`; None where neither is asked for. Raises BadQueryError."""
    if "step" in query and "points" in query:
        raise BadQueryError("step and points are two ways to say the same; give one of them.")
    if "points" in query:
        text = query["points"]
        if not (re.fullmatch(r"[0-9]{1,4}", text) and 1 <= int(text) <= MOST_BUCKETS):
            raise BadQueryError(f"points is {text[:40]!r}; it must be a whole number from 1 to {MOST_BUCKETS}.")
        return max(math.ceil(range_s / int(text) * 1000) / 1000, 0.001)
    if "step" not in query:
        return None
    try:
        step = parse_number(query["step"])
    except ValueError:
        step = math.nan
    if not 0.001 <= step <= LATEST:  # true for nan, too
        raise BadQueryError(f"step is {query['step'][:40]!r}; it must be a number of seconds, at least 0.001.")
    step = round(step, 3)
    if range_s / step > MOST_BUCKETS:
        least = math.ceil(range_s / MOST_BUCKETS)
        raise BadQueryError(
            f"step={step:g} makes more than {MOST_BUCKETS} rows of this range; use step={least} or more, or leave "
            "step out to get every snapshot."
        )
    return step
