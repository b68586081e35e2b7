"""What a publisher reads: values, and staff's choice of where they come from."""

import asyncio
from collections.abc import Iterator

from metrics.catalogue import CATALOGUE, Group
from metrics.choices import DEFAULT_CHOICES, Choices
from metrics.reading import Reading, Readings

#: What all sources say, but for one number by which each snapshot differs from all others.
READINGS = {
    group: Reading({metric.key: metric.fallback for metric in CATALOGUE if metric.group is group}) for group in Group
}


class SimulatedChoices:
    """See publisher.ReadsChoices."""

    age_s = 0.0

    async def read(self, patience_s: float) -> Choices:
        await asyncio.sleep(0)  # a thread is asked
        return DEFAULT_CHOICES

    async def aclose(self) -> None:
        """Nothing is open."""


class SimulatedSources:
    """See publisher.ReadsSources. Where they are slow they take all the time they are given."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self.is_slow = False
        self._numbers = numbers

    async def read(self, choices: Choices, deadline_s: float) -> Readings:
        if self.is_slow:
            await asyncio.sleep(deadline_s)
        portfolio = Reading({**READINGS[Group.PORTFOLIO].values, "pnl": float(next(self._numbers))})
        return {**READINGS, Group.PORTFOLIO: portfolio}

    async def aclose(self) -> None:
        """Nothing is open."""
