"""Whether stored snapshots are one sequence: each names the one before it, or history itself tells that it does not."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from metrics.snapshot import format_time


@dataclass
class Chain:
    """What was found.

    `gaps`: ids whose `previous` is null or not kept: clients who come across are told (`missed`). `forks`: ids that go
    on from one older than the row before them.
    """

    count: int = 0
    first: int | None = None
    last: int | None = None
    gaps: list[int] = field(default_factory=list)
    forks: list[int] = field(default_factory=list)

    def describe(self) -> str:
        """In words."""
        if self.first is None or self.last is None:
            return "no snapshots"
        parts = [f"{self.count:,} snapshots, the last of {show_id(self.last)}"]
        if self.gaps:
            times = "once" if len(self.gaps) == 1 else f"{len(self.gaps):,} times"
            parts.append(f"some before it are not kept {times} (first before {self.gaps[0]}; clients are told)")
        if self.forks:
            parts.append(f"the sequence forked {len(self.forks):,} times (first at {self.forks[0]})")
        if not self.gaps and not self.forks:
            parts.append("each follows the one before it")
        return "; ".join(parts)


def show_id(number: int) -> str:
    """An id as the time that it is, where clocks behave."""
    try:
        return format_time(number / 1000)
    except (ValueError, OverflowError, OSError):
        return str(number)


def read_chain(rows: Iterable[tuple[int, int | None]]) -> Chain:
    """Look at the ids and `previous` of all rows, in the order of their ids. The first one's `previous` is not judged:
    what it names may have been deleted for its age.
    """
    chain = Chain()
    for number, previous in rows:
        if chain.last is None:
            chain.first = number
        elif previous is None or chain.last < previous < number:
            chain.gaps.append(number)
        elif previous != chain.last:
            chain.forks.append(number)
        chain.last = number
        chain.count += 1
    return chain
