"""What a metric is: which values it takes, how people read them, and from where on they are worth a look."""

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from metrics.group import Group
from metrics.thresholds import NO_THRESHOLDS, Thresholds

#: A metric's value; None where the source could not answer.
Value = float | int | str | None

#: The largest integer that JSON readers in every language keep exact (ECMAScript's Number.MAX_SAFE_INTEGER).
LARGEST_INTEGER = 2**53 - 1

#: The largest amount that is taken for real. Beyond it a float keeps no cents, and sums over history no meaning.
LARGEST_NUMBER = 1e15


class InvalidValueError(ValueError):
    """A source's answer is not a value this metric can have; the message says why."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One named quantity.

    `minimum` and `maximum` bound a number (inclusive); `maximum` bounds the length of a text, in characters.
    `decimals` is how many a float is rounded to, and kept and sent with; `shown_decimals` how many of them people see
    (None: all). The unit `ratio` is sent as a ratio and shown as percent, `currency` as settings.CURRENCY says.
    `thresholds` say from where on a value is worth a look. `redis_keys` are tried in order. `fallback` is shown, with
    its problem, when staff switched fallbacks on. `typical`, `wander` and `drift` shape the simulated values: the level
    they return to, their standard deviation, and how much the level itself moves per hour. On the page `is_hero` is
    shown large, first and with its chart; of what `is_signed` the sign is shown, in the colours of profit and loss.

    Raises ValueError, which names the metric, where a threshold can never be reached, or more decimals were shown than
    there are.
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
    shown_decimals: int | None = None
    thresholds: Thresholds = NO_THRESHOLDS

    def __post_init__(self) -> None:
        for line in self.thresholds.lines:
            if not self.is_number or not self.minimum <= line <= self.maximum:
                raise ValueError(f"{self.key}: no value reaches the threshold {line:g} ({self.range_text})")
        if self.shown_decimals is not None and not 0 <= self.shown_decimals <= self.decimals:
            raise ValueError(f"{self.key}: shown_decimals is {self.shown_decimals}; there are {self.decimals} decimals")

    @property
    def is_number(self) -> bool:
        return self.type is not str

    @property
    def is_percent(self) -> bool:
        """Whether people read it in percent: the wire's 0.783 is 78.3 % to them."""
        return self.unit == "ratio"

    @property
    def decimals_for_people(self) -> int:
        """How many decimals are shown, of the percents where it `is_percent`."""
        decimals = self.decimals if self.shown_decimals is None else self.shown_decimals
        return max(decimals - 2, 0) if self.is_percent else decimals

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

    def show(self, value: object, *, with_unit: bool = False, currency: str = "") -> str:
        """`value` as people read it; — for None, and anything else that is no value as it is.

        A percentage has its sign always: without it, it would be another number. `currency` is the unit of amounts.
        """
        if value is None:
            return "—"
        if self.type is float and isinstance(value, float) and abs(value) <= LARGEST_NUMBER:
            sign = " %" if self.is_percent else self._unit_behind(with_unit, currency)
            return f"{self.round_for_people(value):,f}{sign}"
        is_whole = isinstance(value, int) and self.type is int and abs(value) <= LARGEST_INTEGER
        return (f"{value:,}" if is_whole else str(value)) + self._unit_behind(with_unit, currency)

    def round_for_people(self, value: float) -> Decimal:
        """`value` with as many decimals as people see, in percent where they read it so.

        As browsers round: what is written, and halves away from zero. Never a negative zero.
        """
        number = Decimal(repr(value * 100 if self.is_percent else value))
        return number.quantize(Decimal(1).scaleb(-self.decimals_for_people), ROUND_HALF_UP) + 0

    def _unit_behind(self, with_unit: bool, currency: str) -> str:
        unit = {"currency": currency, "ratio": ""}.get(self.unit, self.unit)
        return f" {unit}" if with_unit and unit else ""
