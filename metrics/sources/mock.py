"""Simulated values that look like a trading system's: they wander around a level and remember where they were."""

import math
import random
from collections.abc import Collection, Mapping

from metrics.catalogue import Group, Metric, metrics_of
from metrics.choices import Choices
from metrics.reading import Reading

#: How far a number returns to its level in one tick. The walk is a discrete Ornstein-Uhlenbeck process, AR(1):
#: x' = x + RETURN * (level - x) + noise, whose standard deviation is the metric's `wander`. The noise is the difference
#: of two uniform random numbers, times SPREAD: its standard deviation is 1. That it is not Gaussian nobody sees in sums
#: of many; the logarithms and sines of a Gaussian one, used once in three seconds, took as long as all the rest.
RETURN = 0.04
NOISE = math.sqrt(1 - (1 - RETURN) ** 2)
SPREAD = math.sqrt(6)
#: Chance that a text (the regime) changes at a tick: it lasts 200 ticks on average, ten minutes at 3 s.
CHANGE = 0.005
#: Ticks in an hour at the default interval; the simulated time runs with the ticks, so that a seed repeats exactly.
TICKS_PER_HOUR = 1200


class Walk:
    """One simulated number: mean-reverting around a level that itself may drift."""

    __slots__ = ("_decimals", "_drift", "_level", "_maximum", "_minimum", "_noise", "_position", "_random")

    def __init__(self, metric: Metric, random_numbers: random.Random) -> None:
        draw = self._random = random_numbers.random
        self._level = metric.typical
        self._position = metric.typical + metric.wander * SPREAD * (draw() - draw())
        self._drift = metric.drift / TICKS_PER_HOUR
        self._noise = metric.wander * NOISE * SPREAD
        self._minimum, self._maximum = float(metric.minimum), float(metric.maximum)
        self._decimals = None if metric.type is int else metric.decimals

    def step(self) -> float | int:
        """Move on by one tick and return the value, reflected into the metric's range."""
        draw = self._random
        if self._drift:
            self._level += self._drift * (1 + 2 * SPREAD * (draw() - draw()))
        self._position += RETURN * (self._level - self._position) + self._noise * (draw() - draw())
        return round(min(max(self._position, self._minimum), self._maximum), self._decimals) + 0  # no negative zero


class Persistence:
    """One simulated text: stays for a while, then becomes a neighbour in the list (bull, sideways, bear)."""

    def __init__(self, metric: Metric, random_numbers: random.Random) -> None:
        self._texts = metric.texts or (str(metric.fallback),)
        self._random = random_numbers
        self._index = random_numbers.randrange(len(self._texts))

    def step(self) -> float | int | str:
        """Move on by one tick and return the text."""
        if self._random.random() < CHANGE:
            self._index = min(max(self._index + self._random.choice((-1, 1)), 0), len(self._texts) - 1)
        return self._texts[self._index]


class MockSource:
    """Simulates any group. The same seed gives the same values tick by tick."""

    def __init__(self, seed: int | None = None) -> None:
        self._walks: dict[Group, dict[str, Walk | Persistence]] = {}
        self._seed = random.randrange(2**32) if seed is None else seed

    def _walks_of(self, group: Group) -> Mapping[str, Walk | Persistence]:
        if group not in self._walks:
            self._walks[group] = {metric.key: self._make_walk(metric) for metric in metrics_of(group)}
        return self._walks[group]

    def _make_walk(self, metric: Metric) -> Walk | Persistence:
        # A generator for each metric: what one shows does not depend on which others are simulated.
        random_numbers = random.Random(f"{self._seed}:{metric.key}")
        return (Walk if metric.is_number else Persistence)(metric, random_numbers)

    async def read(self, choices: Choices, groups: Collection[Group], deadline_s: float) -> Mapping[Group, Reading]:
        """Return the next simulated reading of each group; never fails."""
        return {group: Reading({key: walk.step() for key, walk in self._walks_of(group).items()}) for group in groups}

    async def aclose(self) -> None:
        """Nothing to let go of."""
