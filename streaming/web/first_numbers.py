"""The numbers that stand in the page itself: they are on the screen before any of its modules is there.

They are written as static/dashboard/cards.js writes them, which takes them over, and they claim less: all of them are
grey and of the time that stands above them, until the page knows how old they are.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.conf import settings

from metrics.catalogue import Metric, SourceKind, Value

#: A wire message, or what a share link shows of one; None: there is no snapshot yet.
Message = Mapping[str, Any] | None


class FirstNumber(NamedTuple):
    """What a card shows at first. `kind`: as `kindOf` of snapshot.js names it, empty for a real value of its time."""

    text: str
    unit: str
    kind: str
    is_simulated: bool


def with_first_numbers(groups: list[dict[str, Any]], message: Message) -> list[dict[str, Any]]:
    """The page's groups, each with the name of its `source` and its `cards`: pairs of a metric and its first number."""
    return [
        {
            **group,
            "source": (message or {}).get("sources", {}).get(group["key"], ""),
            "cards": [(metric, first_number(metric, message)) for metric in group["metrics"]],
        }
        for group in groups
    ]


def first_number(metric: Metric, message: Message) -> FirstNumber:
    """What the card of `metric` shows of `message`."""
    is_simulated = is_from(metric, message, SourceKind.MOCK)
    value = None if message is None else message.get(metric.key)
    problem = "" if message is None else message["problems"].get(metric.key, "")
    if value is None:
        kind = "" if message is None else "missing"
    elif is_simulated:
        kind = "simulated"
    else:
        kind = {"": "", "stale": "stale"}.get(problem, "fallback")
    return FirstNumber(write_value(metric, value), unit_of(metric), kind, is_simulated)


def is_from(metric: Metric, message: Message, kind: SourceKind) -> bool:
    """Whether the values of the metric's group came from such a source."""
    return message is not None and message["sources"].get(metric.group) == kind


def write_value(metric: Metric, value: Value) -> str:
    """`value` as `formatValue` of format.js writes it, with a minus as wide as a plus."""
    if value is None:
        return "—"
    if isinstance(value, str):
        return value
    shown = metric.round_for_people(value)
    sign = "+" if metric.is_signed and shown > 0 else ""
    return f"{sign}{shown:,f}".replace("-", "−")


def unit_of(metric: Metric) -> str:
    """The unit behind the value, as `unitOf` of format.js has it."""
    if metric.is_percent:
        return "%"
    return settings.CURRENCY if metric.unit == "currency" else metric.unit


def describe_time(message: Message) -> str:
    """Of when the numbers are, by the publisher's clock: the reader's zone is not known yet."""
    if message is None:
        return ""
    return f"{datetime.fromtimestamp(message['timestamp'], UTC):%-d %b %H:%M:%S} UTC"
