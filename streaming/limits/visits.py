"""A connection's visit: it takes a place, and has so long to say what it wants.

Whoever connects and says nothing, or says it a byte at a time, costs others their place; so each request has a
deadline, from its first byte (or the connection) to its head's last, and another one until its body is there. Between
two requests the servers' own limits for keeping a connection alive apply.
"""

import asyncio
import logging
from collections.abc import Callable

from streaming.limits.places import Places

logger = logging.getLogger(__name__)

#: Seconds that the head of a request may take; where only the reserve of places is left; and that its body may.
HEAD_S, HURRIED_HEAD_S, BODY_S = 10.0, 2.0, 20.0

#: The client's host and port, as a scope has them.
Peer = tuple[str, int]


class Visit:
    """One connection's. `end` must be called when it has ended."""

    __slots__ = ("_abort", "_due", "_timer", "_visits", "peer")

    def __init__(self, visits: "Visits", peer: Peer, abort: Callable[[], None]) -> None:
        self._visits = visits
        self._abort = abort
        self._due: float | None = None  # on the loop's clock
        self._timer: asyncio.TimerHandle | None = None  # one for all deadlines: most connections are quick
        self.peer = peer

    def expect_head(self) -> None:
        """The head of a request is to be here soon."""
        if self._due is None:
            self._set(self._visits.hurried_head_s if self._visits.places.is_reserve else self._visits.head_s)

    def expect_body(self) -> None:
        """Its head is here, and its body is to be soon."""
        self._set(self._visits.body_s)

    def meet(self) -> None:
        """All that was expected is here."""
        self._due = None

    def end(self) -> None:
        """The connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._visits.end(self)

    def _set(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + seconds
        if self._timer is None or self._timer.when() > self._due:
            self._arm(loop, self._due)

    def _arm(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(when, self._look)

    def _look(self) -> None:
        """A deadline has come; it may have been met, or moved."""
        self._timer = None
        loop = asyncio.get_running_loop()
        if self._due is None:
            return
        if self._due > loop.time():
            self._arm(loop, self._due)
            return
        self._due = None
        logger.debug("%s did not say in time what it wants.", self.peer[0])
        self._visits.late += 1
        self._abort()


class Visits:
    """One process's. `late`: how many were ended by a deadline."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.head_s, self.hurried_head_s, self.body_s = HEAD_S, HURRIED_HEAD_S, BODY_S
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
