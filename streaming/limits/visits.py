"""A connection's visit: it takes a place, and has so long to say what it wants.

Whoever connects and says nothing, or says it a byte at a time, costs others their place; so each request has a
deadline, from its first byte (or the connection) to its head's last, and another one until its body is there. Between
two requests the servers' own limits for keeping a connection alive apply.

All who may take equally long are due in the order in which they came, so one timer does for all of them. With one for
each, 5,000 clients that had come together took 80 ms of CPU ten seconds later, for deadlines that all had met.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable

from streaming.limits.places import Places

logger = logging.getLogger(__name__)

#: Seconds that the head of a request may take; where only the reserve of places is left; and that its body may.
HEAD_S, HURRIED_HEAD_S, BODY_S = 10.0, 2.0, 20.0

#: The client's host and port, as a scope has them.
Peer = tuple[str, int]


class Visit:
    """One connection's. `end` must be called when it has ended."""

    __slots__ = ("_abort", "_deadlines", "_visits", "peer")

    def __init__(self, visits: "Visits", peer: Peer, abort: Callable[[], None]) -> None:
        self._visits = visits
        self._abort = abort
        self._deadlines: Deadlines | None = None  # among which its own is; None: nothing is expected
        self.peer = peer

    def expect_head(self) -> None:
        """The head of a request is to be here soon."""
        if self._deadlines is None:
            visits = self._visits
            self._expect(visits.hurried_heads if visits.places.is_reserve else visits.heads)

    def expect_body(self) -> None:
        """Its head is here, and its body is to be soon."""
        self._expect(self._visits.bodies)

    def meet(self) -> None:
        """All that was expected is here."""
        if self._deadlines is not None:
            self._deadlines.remove(self)
            self._deadlines = None

    def end(self) -> None:
        """The connection has ended."""
        self.meet()
        self._visits.end(self)

    def miss(self) -> None:
        """The deadline has come."""
        self._deadlines = None
        logger.debug("%s did not say in time what it wants.", self.peer[0])
        self._visits.late += 1
        self._abort()

    def _expect(self, deadlines: "Deadlines") -> None:
        self.meet()
        self._deadlines = deadlines
        deadlines.add(self)


class Deadlines:
    """Visits that all may take `seconds`, in the order in which they are due."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: OrderedDict[Visit, float] = OrderedDict()  # on the loop's clock
        self._is_watched = False  # a timer runs

    def add(self, visit: Visit) -> None:
        """`visit` has so long from now on."""
        loop = asyncio.get_running_loop()
        self._due[visit] = due = loop.time() + self._seconds
        if not self._is_watched:
            self._is_watched = True
            loop.call_at(due, self._look)

    def remove(self, visit: Visit) -> None:
        """`visit` is in time."""
        del self._due[visit]

    def _look(self) -> None:
        """A deadline has come; it may have been met. Come back at the next one that has not been."""
        loop = asyncio.get_running_loop()
        while self._due:
            visit, due = next(iter(self._due.items()))
            if due > loop.time():
                loop.call_at(due, self._look)
                return
            del self._due[visit]
            visit.miss()
        self._is_watched = False


class Visits:
    """One process's. `late`: how many were ended by a deadline."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.heads, self.hurried_heads, self.bodies = map(Deadlines, (HEAD_S, HURRIED_HEAD_S, BODY_S))
        self.late = 0
        self.reserved: set[Peer] = set()  # those who came when only the reserve was left

    def begin(self, peer: Peer, abort: Callable[[], None]) -> Visit | None:
        """The visit of a connection that was just accepted; None where it must be ended, for there is no place.

        `abort`: ends the connection.
        """
        if not self.places.take(peer[0]):
            return None
        if self.places.is_reserve:
            self.reserved.add(peer)
        visit = Visit(self, peer, abort)
        visit.expect_head()
        return visit

    def end(self, visit: Visit) -> None:
        """Give the visit's place back."""
        self.reserved.discard(visit.peer)
        self.places.leave(visit.peer[0])
