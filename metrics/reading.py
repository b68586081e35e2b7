"""What a source answers for one group at one tick."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from metrics.catalogue import Group, Value, metrics_of


class Problem(StrEnum):
    """Why a metric has no value of its own, or an old one."""

    MISSING = "missing"  # the source has no such value
    INVALID = "invalid"  # not a number, NaN, infinite, out of range, wrong type
    UNREACHABLE = "unreachable"  # the source did not answer in time
    STALE = "stale"  # the producer's heartbeat is too old; the value is the last one


@dataclass(frozen=True, slots=True)
class Reading:
    """One group's values and problems by metric key; `observed` is when the producer says it wrote them (Unix s)."""

    values: Mapping[str, Value]
    problems: Mapping[str, Problem] = field(default_factory=dict)
    observed: float | None = None

    @classmethod
    def failed(cls, group: Group, problem: Problem) -> "Reading":
        """A reading in which every metric of `group` is null because of `problem`."""
        keys = [metric.key for metric in metrics_of(group)]
        return cls(values=dict.fromkeys(keys), problems=dict.fromkeys(keys, problem))


#: What all sources answered at one tick.
Readings = Mapping[Group, Reading]
