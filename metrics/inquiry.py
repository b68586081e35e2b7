"""Asks something that may hang, at most once at a time, and waits for the answer only so long."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Call(Generic[T]):
    """One asking of the question. `arrived_at`: when it was answered, on the loop's clock."""

    future: "asyncio.Future[T]"
    is_overdue: bool = False  # somebody has waited for it in vain
    is_used: bool = False  # somebody got its answer
    arrived_at: float = math.nan
    waiters: "list[asyncio.Future[None]]" = field(default_factory=list)

    async def wait(self, patience_s: float) -> None:
        """Wait until it is answered, for `patience_s` seconds at most.

        As asyncio.wait, which is made for many and costs twice as much: somebody waits at each tick.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self.waiters.append(waiter)
        timer = loop.call_later(patience_s, wake, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self.waiters.remove(waiter)

    def note_arrival(self, future: "asyncio.Future[T]") -> None:
        """Called when it was answered."""
        self.arrived_at = asyncio.get_running_loop().time()
        if not future.cancelled():
            future.exception()  # it is seen, even where nobody waits for it any more
        for waiter in self.waiters:
            wake(waiter)


def wake(waiter: "asyncio.Future[None]") -> None:
    """Have whoever waits go on."""
    if not waiter.done():
        waiter.set_result(None)


class Inquiry(Generic[T]):
    """One question to a database, a Redis or a device, asked again only when the last one was answered.

    However many callers there are and however long the answer takes, one call is under way at most, so that whatever
    hangs holds one task and one thread, not a growing number of them. An answer that comes when nobody waits for it any
    more is not lost: the next who asks gets it, unless a newer one comes in time. So what is always a little too slow
    is known all the same, one asking later.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]], *, keep_s: float = 10.0) -> None:
        """`keep_s`: seconds after which an answer that nobody has waited for is too old to be used."""
        self._ask = ask
        self._keep_s = keep_s
        self._call: Call[T] | None = None
        self._late: Call[T] | None = None  # answered, and not used yet

    async def answer(self, patience_s: float) -> T:
        """Return the answer; the call under way, if there is one, is shared.

        After `patience_s` seconds (at once when an earlier caller has waited in vain for this very call) the answer is
        the one that came late for an earlier caller; it serves once. Raises TimeoutError where there is none, and
        whatever the question itself raises.
        """
        call = self._call
        if call is None or call.future.done():
            if call is not None and not call.is_used:
                self._late = call
            call = self._begin()
        await call.wait(0 if call.is_overdue else patience_s)
        if not call.future.done():
            call.is_overdue = True
            late, self._late = self._late, None
            age_s = math.inf if late is None else asyncio.get_running_loop().time() - late.arrived_at
            if late is None or age_s > self._keep_s:
                raise TimeoutError("no answer in time")
            call = late
        elif self._late is not None:
            self._late = None  # this one is newer
        call.is_used = True
        return call.future.result()

    def _begin(self) -> Call[T]:
        call = self._call = Call(asyncio.ensure_future(self._ask()))
        call.future.add_done_callback(call.note_arrival)
        return call

    async def aclose(self) -> None:
        """Cancel a call under way and wait for its end."""
        if self._call is not None and not self._call.future.done():
            self._call.future.cancel()
            await asyncio.wait([self._call.future], timeout=1)
