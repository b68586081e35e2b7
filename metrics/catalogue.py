"""The one list of all groups and metrics.

Adding a metric is one entry in `CATALOGUE`, adding a group one line in `Group` (and a generated migration for either):
the wire message, the sources, history's columns, the page's sections and cards and the admin follow from them.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

#: A metric's value; None where the source could not answer.
Value = float | int | str | None

#: The largest integer that JSON readers in every language keep exact (ECMAScript's Number.MAX_SAFE_INTEGER).
LARGEST_INTEGER = 2**53 - 1

#: The largest amount that is taken for real. Beyond it a float keeps no cents, and sums over history no meaning.
LARGEST_NUMBER = 1e15


class SourceKind(StrEnum):
    """Where one group's values come from."""

    MOCK = "mock"
    REDIS = "redis"
    HOST = "host"


#: The sources that can answer for any metric.
ANY_METRIC = (SourceKind.MOCK, SourceKind.REDIS)


class Group(StrEnum):
    """What a metric is about; staff choose one source per group.

    A line here declares a group: its key, the name that people read, its place on the page (the lowest is what a trader
    looks at first; without one it comes last), the sources that can answer for it, and the one that does until staff
    choose. The message has the groups in the order of the lines, so that a new one stands at the end.
    """

    label: str
    page_place: int
    kinds: tuple[SourceKind, ...]
    first_kind: SourceKind

    SYSTEM = "system", "System", 3, (*ANY_METRIC, SourceKind.HOST), SourceKind.HOST
    AI = "ai", "AI", 2
    PORTFOLIO = "portfolio", "Portfolio", 1

    def __new__(
        cls,
        key: str,
        label: str = "",
        page_place: int = 1000,
        kinds: tuple[SourceKind, ...] = ANY_METRIC,
        first_kind: SourceKind = SourceKind.MOCK,
    ) -> "Group":
        group = str.__new__(cls, key)
        group._value_ = key
        group.label, group.page_place = label or key.capitalize(), page_place
        group.kinds, group.first_kind = kinds, first_kind
        return group

    @property
    def source_column(self) -> str:
        """The column that keeps where its values came from, in the database and in CSV."""
        return f"source_{self}"


class InvalidValueError(ValueError):
    """A source's answer is not a value this metric can have; the message says why."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One named quantity.

    `minimum` and `maximum` bound a number (inclusive); `maximum` bounds the length of a text, in characters.
    `decimals` is how many a float is rounded to and shown with. `redis_keys` are tried in order. `fallback` is shown,
    with its problem, when staff switched fallbacks on. `typical`, `wander` and `drift` shape the simulated values: the
    level they return to, their standard deviation, and how much the level itself moves per hour. On the page `is_hero`
    is shown large, first and with its chart; of what `is_signed` the sign is shown, in the colours of profit and loss.
    """

    key: str
    group: Group
    label: str
    type: type[float] | type[int] | type[str]
    unit: str
    redis_keys: tuple[str, ...]
    fallback: float | int | str
    minimum: float = -math.inf
    maximum: float = math.inf
    decimals: int = 0
    typical: float = 0.0
    wander: float = 0.0
    drift: float = 0.0
    texts: tuple[str, ...] = ()
    is_hero: bool = False
    is_signed: bool = False

    @property
    def is_number(self) -> bool:
        return self.type is not str

    def accept(self, value: float | int | str) -> float | int | str:
        """Return `value` as this metric's type, rounded to its decimals.

        Raises InvalidValueError where it is not finite, outside the range, not whole for an integer, or no short text.
        """
        if self.type is str:
            return self._accept_text(value)
        if isinstance(value, str | bool):
            raise InvalidValueError(f"{value!r} is not a number")
        if not math.isfinite(value):
            raise InvalidValueError(f"{value} is not finite")
        if abs(value) > LARGEST_NUMBER:
            raise InvalidValueError(f"{value} is larger than {LARGEST_NUMBER:g}")
        if not self.minimum <= value <= self.maximum:
            raise InvalidValueError(f"{value} is outside {self.range_text}")
        if self.type is float:
            return round(float(value), self.decimals) + 0.0  # + 0.0 turns -0.0 into 0.0
        if value != int(value) or abs(value) > LARGEST_INTEGER:
            raise InvalidValueError(f"{value} is not a whole number of at most {LARGEST_INTEGER}")
        return int(value)

    def _accept_text(self, value: float | int | str) -> str:
        if not isinstance(value, str):
            raise InvalidValueError(f"{value!r} is not a text")
        text = value.strip()
        if not text or len(text) > self.maximum or not text.isprintable():
            raise InvalidValueError(f"not a printable text of 1 to {self.maximum:.0f} characters")
        return text

    @property
    def range_text(self) -> str:
        """The valid range, for people: `0 to 100`, `at least 0`, `any finite number`, `up to 32 characters`."""
        if self.type is str:
            return f"up to {self.maximum:.0f} characters"
        if self.maximum < math.inf:
            return f"{self.minimum:g} to {self.maximum:g}"
        return f"at least {self.minimum:g}" if self.minimum > -math.inf else "any finite number"

    def show(self, value: object, *, with_unit: bool = False) -> str:
        """`value` as people read it, rounded to this metric's decimals; — for None, and anything else as it is."""
        if value is None:
            return "—"
        shown = f"{value:.{self.decimals}f}" if self.type is float and isinstance(value, float) else str(value)
        return f"{shown} {self.unit}" if with_unit and self.unit else shown


CATALOGUE: tuple[Metric, ...] = (
    Metric("cpu", Group.SYSTEM, "CPU", float, "%", ("system:cpu",), 50.0, 0, 100, 2, typical=42, wander=14),
    Metric("ram", Group.SYSTEM, "RAM", float, "%", ("system:ram",), 50.0, 0, 100, 2, typical=63, wander=5),
    Metric("containers", Group.SYSTEM, "Containers", int, "", ("system:containers",), 5, 0, typical=7, wander=1),
    Metric(
        "accuracy", Group.AI, "Accuracy", float, "ratio", ("ai:accuracy",), 0.72, 0, 1, 3, typical=0.76, wander=0.03
    ),
    Metric("latency", Group.AI, "Latency", int, "ms", ("ai:latency",), 184, 0, typical=165, wander=30),
    Metric(
        "sharpe",
        Group.AI,
        "Sharpe ratio",
        float,
        "",
        ("ai:sharpe", "portfolio:sharpe"),
        1.14,
        decimals=2,
        typical=1.2,
        wander=0.15,
    ),
    Metric(
        "pnl",
        Group.PORTFOLIO,
        "Profit and loss",
        float,
        "currency",
        ("portfolio:pnl",),
        125000.0,
        decimals=2,
        typical=125000,
        wander=500,
        drift=1800,
        is_hero=True,
        is_signed=True,
    ),
    Metric(
        "positions", Group.PORTFOLIO, "Open positions", int, "", ("portfolio:positions",), 14, 0, typical=14, wander=3
    ),
    Metric(
        "exposure",
        Group.PORTFOLIO,
        "Exposure",
        float,
        "ratio",
        ("portfolio:exposure",),
        0.5,
        0,
        1,
        2,
        typical=0.58,
        wander=0.08,
    ),
    Metric(
        "regime",
        Group.AI,
        "Market regime",
        str,
        "",
        ("ai:regime",),
        "sideways",
        maximum=32,
        texts=("bull", "sideways", "bear"),
    ),
    Metric(
        "risk", Group.PORTFOLIO, "Risk", float, "ratio", ("portfolio:risk",), 0.3, 0, 1, 2, typical=0.3, wander=0.06
    ),
    Metric(
        "volatility",
        Group.PORTFOLIO,
        "Volatility (annualised)",
        float,
        "ratio",
        ("portfolio:volatility",),
        0.2,
        0,
        decimals=2,
        typical=0.19,
        wander=0.03,
    ),
)

METRICS: dict[str, Metric] = {metric.key: metric for metric in CATALOGUE}


def metrics_of(group: Group) -> Iterator[Metric]:
    """The metrics of one group, in the catalogue's order."""
    return (metric for metric in CATALOGUE if metric.group is group)
