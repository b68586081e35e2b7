"""What lets exactly one of several publishers publish: a lease in Redis, and the number of its holder's tenure.

Holding it here is a belief, from this machine's clock; what counts is compared where a snapshot is published
(streaming.publishing.redis_outlet) and where it is written. A belief that is wrong costs a tick, not the sequence.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from streaming.publishing.redis_script import REDIS_ERRORS, describe_failure

logger = logging.getLogger(__name__)

#: This process's name as a holder, for its life: a command that Redis executes late is still recognised as its own.
TOKEN = secrets.token_hex(8)


def read_boot_clock() -> float:
    """Seconds since the machine started, those that it slept included, where the system counts them (Linux)."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Lease(Protocol):
    """Asked at every tick, kept alive by a task of the publisher's."""

    #: The number of the newest tenure of this publisher's, 0 before the first; and the name it publishes under.
    term: int
    #: The highest term seen anywhere, set by whoever sees one: a new tenure's is higher.
    known_term: int
    #: How far this machine's clock is ahead of the server's, in seconds; None where there is no server, or no answer.
    clock_offset_s: float | None
    #: Why the lease can neither be taken nor renewed; empty while it can, or while another holds it.
    error: str
    #: Called when a tenure begins, set by whoever is to know it at once.
    on_taken: Callable[[], None]

    @property
    def is_held(self) -> bool:
        """Whether this publisher may try to publish now."""

    @property
    def holder(self) -> str:
        """What the outlet compares with the lease's value."""

    async def take(self) -> None:
        """Take the lease where it is free, renew it where it is ours. Raises nothing: see `error`."""

    async def keep(self) -> None:
        """Take and renew the lease until cancelled; then give it back."""

    async def give_back(self) -> None:
        """Let another publisher have the lease at once, and close the connection."""

    def note_lost(self) -> None:
        """The outlet found that it is not ours: not held from now on, until it is taken again."""


class LocalLease:
    """For the in-memory channel layer: whoever publishes there is alone."""

    is_held = True
    holder = "local"
    clock_offset_s: float | None = None
    error = ""

    def __init__(self) -> None:
        self.term = 0
        self.known_term = 0
        self.on_taken: Callable[[], None] = lambda: None  # never called: it is held from the beginning on

    async def take(self) -> None:
        """Begin a tenure: the first time, and where one with a higher term turns out to have been."""
        if self.term == 0 or self.term < self.known_term:
            self.term = self.known_term = self.known_term + 1

    async def keep(self) -> None:
        """See Lease.keep; there is nothing to renew."""
        await self.take()

    async def give_back(self) -> None:
        """Nothing to give back."""

    def note_lost(self) -> None:
        """Cannot be."""


class Taken(NamedTuple):
    """The store's answer. `term`: of our tenure; 0 while somebody else has the lease. `server_time_s`: Unix seconds.

    `ends_in_s`: seconds until somebody else's lease ends, unless it is renewed.
    """

    term: int
    server_time_s: float
    ends_in_s: float = 0.0


class LeaseStore(Protocol):
    """Where the lease is kept; compares and sets in one step. Raises OSError, RedisError or TimeoutError."""

    async def take(self, token: str, ttl_ms: int, known_term: int) -> Taken:
        """Take the lease for `ttl_ms` where it is free; prolong it where it is `token`'s, in the same term.

        A new tenure's term is higher than any before, and than `known_term`.
        """

    async def wait_for_release(self, at_most_s: float) -> None:
        """Wait until a holder frees the lease, which one of those who wait is told; for so long at most."""

    async def release(self, holder: str) -> None:
        """Free the lease where it is that holder's ("<term>:<token>", of whatever term), and close the connection."""


class RedisLease:
    """A lease with a time to live in a store that the publishers share.

    `is_held` looks at a clock that goes on while the machine sleeps, so a publisher that was frozen knows that it may
    have lost the lease before it asks. Who stands by is told when the holder ends as planned, and knows when the lease
    of one that was killed ends. Where the store does not answer, the lease is held for as long as it lasts.
    """

    def __init__(
        self,
        store: LeaseStore,
        *,
        ttl_s: float = 4.0,
        token: str = TOKEN,
        clock: Callable[[], float] = read_boot_clock,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`clock`, `wall`: seconds, monotonic and Unix. Two leases of one process need a `token` each."""
        self._store = store
        self._ttl_s = ttl_s
        self._patience_s = ttl_s / 4
        self._pause_s = ttl_s / 8  # between two looks
        self._ends_in_s = 0.0  # somebody else's, at the last look
        self._token = token
        self._clock = clock
        self._wall = wall
        self._held_until = float("-inf")
        self._was_held = False  # as the log said last
        self._failing_since: float | None = None
        self._lost = asyncio.Event()
        self.term = 0
        self.known_term = 0
        self.clock_offset_s: float | None = None
        self.error = ""
        self.on_taken: Callable[[], None] = lambda: None

    @property
    def is_held(self) -> bool:
        return self._clock() < self._held_until

    @property
    def holder(self) -> str:
        return f"{self.term}:{self._token}"

    async def keep(self) -> None:
        """See Lease.keep; where the outlet says that the lease is lost, it is asked for at once."""
        try:
            while True:
                self._lost.clear()
                await self.take()
                if self.is_held or self.error:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._pause_s / 4 if self.error else self._pause_s):
                            await self._lost.wait()
                else:
                    await self._stand_by()
        finally:
            await self.give_back()

    async def _stand_by(self) -> None:
        """Wait until the lease may be free, or it is time to look again."""
        try:
            await self._store.wait_for_release(min(self._ends_in_s + 0.001, self._pause_s))
        except REDIS_ERRORS as error:
            logger.debug("The publishers' lease cannot be waited for: %s", error)
            await asyncio.sleep(self._pause_s)

    async def take(self) -> None:
        """See Lease.take. It takes a quarter of the lease's time at most."""
        asked = self._clock()
        try:
            async with asyncio.timeout(self._patience_s):
                taken = await self._store.take(self._token, int(self._ttl_s * 1000), self.known_term)
        except REDIS_ERRORS as error:
            self._note_failure(error)
            return
        answered = self._clock()
        self.clock_offset_s = self._wall() - (answered - asked) / 2 - taken.server_time_s
        self._note_answer()
        if taken.term:
            is_new = taken.term != self.term or not self._was_held
            self.term = taken.term
            self.known_term = max(self.known_term, taken.term)
            self._held_until = asked + self._ttl_s
            if is_new:
                logger.info("This publisher holds the lease, in term %d.", self.term)
                self.on_taken()
        else:
            self._held_until = float("-inf")
            self._ends_in_s = taken.ends_in_s
            if self._was_held:
                logger.warning("Another publisher has taken the lease; this one stands by.")
        self._was_held = taken.term > 0

    def note_lost(self) -> None:
        """See Lease.note_lost; `keep` asks for it at once."""
        if self._was_held:
            logger.warning("The lease of term %d is not this publisher's any more: nothing was published.", self.term)
        self._was_held = False
        self._held_until = float("-inf")
        self._lost.set()

    def _note_failure(self, error: BaseException) -> None:
        self.error = describe_failure(error)
        if self._failing_since is None:
            self._failing_since = self._clock()
            logger.warning("The publishers' lease can be neither taken nor renewed (%s); trying again.", self.error)

    def _note_answer(self) -> None:
        self.error = ""
        if self._failing_since is not None:
            logger.info("The publishers' lease answers again, after %.0f s.", self._clock() - self._failing_since)
            self._failing_since = None

    async def give_back(self) -> None:
        """See Lease.give_back; where the store does not answer within 1 s, the lease ends by itself."""
        self._held_until = float("-inf")
        self._was_held = False
        try:
            async with asyncio.timeout(1):
                await self._store.release(self.holder)  # even where it is not held: taking it may be under way
        except REDIS_ERRORS as error:
            logger.info(
                "The publishers' lease could not be given back (%s); it ends by itself.", describe_failure(error)
            )
