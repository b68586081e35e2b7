"""What a share link shows of a message and of history: some groups, and amounts or only how they changed.

What is not shared is left out here, from an allowlist: a key that nobody has thought of is not shown.
"""

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from metrics.catalogue import METRICS, Group, Metric, SourceKind
from metrics.thresholds import NO_THRESHOLDS

#: What every viewer of a message gets: its time, and its place in the sequence.
ALWAYS = frozenset({"timestamp", "datetime", "id", "previous", "interval", "missed"})
#: The unit of what `Share.bases` hides.
AMOUNT = "currency"
#: The problem of an amount that cannot be shown as a change.
INCOMPARABLE = "incomparable"
#: The parts of a summary of history, and those of an amount that can be shown as changes.
PARTS = ("min", "mean", "max", "last")
AMOUNTS = frozenset({*PARTS, "stand_in"})
#: Changes are shown in percent with so many decimals.
DECIMALS = 2

Message = dict[str, Any]


class Base(NamedTuple):
    """An amount (`key` of the catalogue) that others are compared with; it never leaves the server."""

    key: str
    value: float
    is_simulated: bool


@dataclass(frozen=True, slots=True)
class Share:
    """What is shown. `bases`: the amounts are hidden, and shown as changes from these; None: they are shown."""

    groups: frozenset[Group]
    bases: tuple[Base, ...] | None = None


@functools.lru_cache(maxsize=1000)
def metrics_shown(share: Share) -> dict[str, Metric]:
    """The metrics that `share` shows, as it shows them, by their keys in the catalogue and in its order."""
    return {
        key: describe_change(metric) if is_hidden(metric, share) else metric
        for key, metric in METRICS.items()
        if metric.group in share.groups
    }


def is_hidden(metric: Metric, share: Share) -> bool:
    """Whether only the changes of `metric` are shown."""
    return share.bases is not None and metric.unit == AMOUNT


def describe_change(metric: Metric) -> Metric:
    """The change of an amount, in percent, as a metric of its own."""
    return replace(
        metric,
        key=f"{metric.key}_change",
        label=f"{metric.label}, change",
        unit="%",
        minimum=-math.inf,
        maximum=math.inf,
        decimals=DECIMALS,
        shown_decimals=None,
        thresholds=NO_THRESHOLDS,
    )


def smallest_base(metric: Metric) -> float:
    """The least amount that may be a base: from a smaller one on, the smallest step of the amount (a cent) would show.

    Whoever saw changes jump by 0.02 % at least would know the base: 50.00. So a step is a tenth of what is shown.
    """
    return float(10 ** (DECIMALS + 3 - metric.decimals))


def find_base(metric: Metric, share: Share, kinds: Mapping[str, Any]) -> Base | None:
    """The base of `metric` where its values come from `kinds` of sources, by group: one kind, or a list of them.

    None where there is none, and where either is simulated and the other is not: that change would be invented.
    """
    found: Any = kinds.get(metric.group, ())
    simulated = {kind == SourceKind.MOCK for kind in ([found] if isinstance(found, str) else found)}
    return next(
        (base for base in share.bases or () if base.key == metric.key and simulated == {base.is_simulated}), None
    )


def change_from(base: Base | None, value: Any) -> float | None:
    """By how many percent `value` differs from the base; None where either is not known."""
    if base is None or not isinstance(value, int | float):
        return None
    return round((value - base.value) / abs(base.value) * 100, DECIMALS) + 0.0  # + 0.0 turns -0.0 into 0.0


def show_message(message: Message, share: Share) -> Message:
    """What `share` shows of a wire message, in its order."""
    shown: Message = {}
    problems: dict[str, Any] = {}
    kinds = message.get("sources", {})
    for key, value in message.items():
        if key in ALWAYS:
            shown[key] = value
        elif key in {"sources", "observed"}:
            shown[key] = of_groups(value, share)
        elif key == "problems":
            shown[key] = problems
        elif (metric := metrics_shown(share).get(key)) is not None:
            own = METRICS[key]
            shown[metric.key] = change_from(find_base(own, share, kinds), value) if is_hidden(own, share) else value
            if shown[metric.key] is None and value is not None:
                problems[metric.key] = INCOMPARABLE
            elif key in message.get("problems", {}):
                problems[metric.key] = message["problems"][key]
    return shown


def show_row(row: Message, share: Share) -> Message:
    """What `share` shows of one bucket of history. How many problems there were is not known group by group."""
    kinds = row["sources"]
    shown: Message = {"time": row["time"], "count": row["count"], "sources": of_groups(kinds, share)}
    for key, metric in metrics_shown(share).items():
        own = METRICS[key]
        if not is_hidden(own, share):
            shown[key] = row[key]
            continue
        base = find_base(own, share, kinds)
        shown[metric.key] = {
            part: change_from(base, value) if part in AMOUNTS else value
            for part, value in row[key].items()
            if part in AMOUNTS or part == "problems"
        }
    return shown


def show_events(events: list[Message], share: Share) -> Iterator[Message]:
    """The switches of sources of the groups that are shown, without who switched them."""
    for event in events:
        if event["group"] in share.groups:
            yield {name: event[name] for name in ("time", "group", "from", "to")}


def of_groups(parts: Mapping[str, Any], share: Share) -> dict[str, Any]:
    """Those of `parts`, by group, whose group is shown."""
    return {group: part for group, part in parts.items() if group in share.groups}
