"""What a Redis knows of the stream, and the product's scripts as steps on it.

tests/test_simulation_redis.py holds each of them against the real script on a real Redis.
"""

import copy
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

#: "<term>:<token>".
HOLDER = re.compile(r"^(\d+):(.*)$", re.DOTALL)


class Entry(NamedTuple):
    """One of the stream."""

    id: int
    previous: str
    term: str
    text: str
    holder: str


@dataclass
class RedisState:
    """The keys, as far as the stream uses them. Times are Unix milliseconds, those of the server's clock."""

    lease: str | None = None
    lease_ends_ms: float = 0.0
    term: int = 0
    entries: list[Entry] = field(default_factory=list)
    released_until_ms: float = 0.0  # somebody who stands by may yet hear of a lease that was freed

    def copy(self) -> "RedisState":
        """What a replica has."""
        twin = copy.copy(self)
        twin.entries = self.entries.copy()
        return twin

    def holder(self, now_ms: float) -> str | None:
        """The lease's value, where it has not ended."""
        return self.lease if self.lease is not None and now_ms < self.lease_ends_ms else None

    def take(self, now_ms: float, token: str, ttl_ms: int, known: int) -> list[Any]:
        """redis_lease_store.TAKE."""
        answer = [b"%d" % (now_ms // 1000), b"%d" % (now_ms % 1000 * 1000)]
        value = self.holder(now_ms)
        if value is not None and (match := HOLDER.match(value)):
            term = int(match[1])
            if match[2] == token and term >= known:
                self.lease_ends_ms = now_ms + ttl_ms
                return [term, *answer, 0]
            if match[2] != token:
                return [0, *answer, int(self.lease_ends_ms - now_ms)]
            known = max(known, term)
        known = max(known, self.term, int(self.entries[-1].term) if self.entries else 0)
        self.term = known + 1
        self.lease, self.lease_ends_ms = f"{self.term}:{token}", now_ms + ttl_ms
        return [self.term, *answer, 0]

    def release(self, now_ms: float, token: str) -> int:
        """redis_lease_store.RELEASE."""
        value = self.holder(now_ms)
        if value is not None and (match := HOLDER.match(value)) and match[2] == token:
            self.lease = None
            self.released_until_ms = now_ms + 1000
            return 1
        return 0

    def publish(
        self,
        now_ms: float,
        arguments: tuple[Any, ...],
        send: Callable[[Any], None],
    ) -> list[bytes]:
        """redis_outlet.PUBLISH; `send` brings what is published to the subscribers. Raises ResponseError."""
        holder, previous, number, term, text, _, _, message = arguments
        last = self.entries[-1] if self.entries else None
        head = str(last.id) if last else "0"
        if last is not None and head == str(number) and last.text == text and last.holder == holder:
            return [b"published", head.encode()]
        if self.holder(now_ms) != holder:
            return [b"lost", head.encode()]
        if int(head) > int(previous or 0):
            return [b"behind", head.encode()]
        if last is not None and int(number) <= last.id:
            raise ResponseError("The ID specified in XADD is equal or smaller than the target stream top item")
        self.entries.append(Entry(int(number), previous, str(term), text, holder))
        send(message)
        return [b"published", b"%d" % int(number)]

    def newest(self, count: int) -> list[Any]:
        """XREVRANGE: the newest first."""
        return [as_answer(entry) for entry in self.entries[: -count - 1 : -1]]

    def between(self, first: str, last: str) -> list[Any]:
        """XRANGE: the oldest first."""
        end = math.inf if last == "+" else int(last)
        return [as_answer(entry) for entry in self.entries if int(first) <= entry.id <= end]


def as_answer(entry: Entry) -> tuple[bytes, dict[bytes, bytes]]:
    """An entry as redis-py returns it."""
    fields = {"previous": entry.previous, "term": entry.term, "text": entry.text, "holder": entry.holder}
    return b"%d-0" % entry.id, {key.encode(): value.encode() for key, value in fields.items()}
