"""From where on a value is worth a look: declared with the metric, drawn and marked by the page."""

import math
from dataclasses import dataclass
from enum import StrEnum


class Worse(StrEnum):
    """In which direction a value gets worse."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A value that has come as far as `warn` is worth a look, as far as `critical` must not wait; None: no such line.

    Both in the metric's own unit, as the wire carries it (a ratio, not percents). What is exactly there has come so
    far. Raises ValueError where a threshold is no finite number, or critical is no worse than warn.
    """

    warn: float | None = None
    critical: float | None = None
    worse: Worse = Worse.ABOVE

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.lines)):
            raise ValueError("a threshold must be a finite number")
        if self.warn is None or self.critical is None:
            return
        if self.critical <= self.warn if self.worse is Worse.ABOVE else self.critical >= self.warn:
            raise ValueError(f"critical ({self.critical:g}) must be {self.worse} warn ({self.warn:g})")

    @property
    def lines(self) -> tuple[float, ...]:
        """The thresholds that there are."""
        return tuple(line for line in (self.warn, self.critical) if line is not None)


#: Of a metric that is neither good nor bad by itself.
NO_THRESHOLDS = Thresholds()
