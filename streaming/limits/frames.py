"""How much a client of the stream may send: it has nothing to say but pongs and a goodbye.

A ping costs a server some 7 µs and the client a few bytes: one connection could take a whole core. So what it sends is
measured in bytes, before it is parsed, as a token bucket (a burst, then a rate).
"""

import time

#: Bytes that a client may send at once, and a second from then on. A ping takes 6: this is 3,000 of them, 20 ms of
#: work, and then 300 a second.
BURST, RATE = 16_384, 2048
#: Seconds in which one that sent too much may still read why, before it is cut off.
FAREWELL_S = 1.0
REASON = "sends too much"


class FrameBudget:
    """One connection's."""

    __slots__ = ("_left", "_seen_at")

    def __init__(self) -> None:
        self._left = float(BURST)
        self._seen_at = time.monotonic()

    def spend(self, count: int) -> int:
        """`count` bytes have come: how many of them may be looked at."""
        now = time.monotonic()
        self._left = min(self._left + (now - self._seen_at) * RATE, BURST)
        self._seen_at = now
        allowed = min(count, int(self._left))
        self._left -= allowed
        return allowed
