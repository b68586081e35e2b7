"""What the clients received: how late, how spread, and whether anything was lost, doubled or out of order.

Reading each message would make the load generator the bottleneck: a payload is parsed when it is first seen, and
compared as bytes from then on.
"""

from array import array
from typing import Any, Protocol

#: Payloads that are remembered to count how many a gap is long.
REMEMBERED = 200_000


class Receiver(Protocol):
    """Who received something. `last`: id of its last snapshot."""

    last: int | None


class Sight:
    """One payload as the clients saw it: `first` and `last` receipt (Unix seconds) and by how many."""

    __slots__ = ("count", "first", "last")

    def __init__(self, first: float) -> None:
        self.first = self.last = first
        self.count = 0


class Recorder:
    """Gathers receipts until report() is called."""

    def __init__(self) -> None:
        self._raw = b""
        self._timestamp = 0.0
        self._id = 0
        self._previous: int | None = None
        self._sight = Sight(0.0)
        self._previous_of: dict[int, int | None] = {}
        self._sights: dict[int, Sight] = {}
        self.newest = 0  # the highest id
        self.clear()

    def clear(self) -> None:
        """Forget what was counted; what the newest snapshot is, is kept."""
        self._latencies = array("d")
        self._bytes = 0
        self._sights = {self.newest: self._sights[self.newest]} if self.newest else {}
        self._old = set(self._sights)
        self.lost = self.doubled = self.disordered = 0

    @property
    def newest_count(self) -> int:
        """How many connections have received the newest snapshot."""
        return self._sights[self.newest].count if self.newest else 0

    def note(self, connection: Receiver, raw: bytes, now: float) -> None:
        """Record that `connection` received the frame `raw` at `now` (Unix seconds)."""
        if raw != self._raw:
            self._learn(raw, now)
        sight = self._sight
        sight.last = now
        sight.count += 1
        self._latencies.append(now - self._timestamp)
        last = connection.last
        if last != self._previous and last is not None:
            self._judge(last)
        connection.last = self._id

    def _learn(self, raw: bytes, now: float) -> None:
        """Parse a payload; raises ValueError where a number is none."""
        self._raw = raw
        self._timestamp = number_after(b'"timestamp":', raw) or 0.0
        number = self._id = int(number_after(b'"id":', raw) or 0)
        previous = number_after(b'"previous":', raw)
        self._previous = None if previous is None else int(previous)
        sight = self._sights.get(number)
        if sight is None:
            sight = self._sights[number] = Sight(now)
            if len(self._previous_of) >= REMEMBERED:
                self._previous_of.clear()
            self._previous_of[number] = self._previous
            self._bytes = len(raw)
        self._sight = sight
        self.newest = max(self.newest, number)

    def _judge(self, last: int) -> None:
        """Say what is wrong with a message that does not follow the one with the id `last`."""
        if self._id == last:
            self.doubled += 1
        elif self._id < last:
            self.disordered += 1
        else:
            self.lost += self._count_between(last)

    def _count_between(self, last: int) -> int:
        """How many snapshots were published between `last` and this message: at least one."""
        count = 0
        step = self._previous
        while step is not None and step > last:
            count += 1
            step = self._previous_of.get(step)
        return max(count, 1)

    def report(self, expected: int) -> dict[str, Any]:
        """What came since clear(): times in milliseconds, spread over snapshots that all `expected` clients got."""
        latencies = sorted(self._latencies)
        sights = [sight for number, sight in self._sights.items() if number not in self._old]
        spreads = sorted((sight.last - sight.first) * 1000 for sight in sights if sight.count >= expected > 1)
        return {
            "messages": len(latencies),
            "payloads": len(sights),
            "frame_bytes": self._bytes,
            "latency_ms": [round(at(latencies, part / 100) * 1000, 2) for part in range(101)],
            "spread_ms": {"p50": at(spreads, 0.5), "max": at(spreads, 1.0)} if spreads else None,
            "lost": self.lost,
            "doubled": self.doubled,
            "disordered": self.disordered,
        }


def at(ordered: "list[float] | array[float]", part: float) -> float:
    """The value below which `part` (0 to 1) of the `ordered` values lie; 0 where there are none."""
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def number_after(key: bytes, raw: bytes) -> float | None:
    """The number that follows `key` in JSON, with or without a space; None for null or where there is none."""
    start = raw.find(key)
    if start < 0:
        return None
    start += len(key)
    end = min(place for place in (raw.find(b",", start), raw.find(b"}", start), len(raw)) if place >= 0)
    text = raw[start:end].strip()
    return None if text == b"null" else float(text)
