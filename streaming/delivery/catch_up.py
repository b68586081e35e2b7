"""Brings clients that are behind up to date: all of them within one budget of the loop's time, a few at once.

However many they are and however much they lack, they get the loop for two milliseconds at a time, and not at all while
a new snapshot goes out: who has everything comes first. Of those in the queue, the first are served until they have
everything or have to be waited for. So only a few sockets are full at once: with thousands, the server's own loop
would write to all of them at each turn. What is older than the recent snapshots is read from the past, a page at a
time, so that memory stays bounded.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable

from streaming.delivery.audience import Audience
from streaming.delivery.client import Client
from streaming.delivery.close_codes import TRY_AGAIN_LATER
from streaming.delivery.past import Past, PastUnreadableError
from streaming.delivery.recent import RecentSnapshots
from streaming.wire import Frame

logger = logging.getLogger(__name__)

#: Seconds of the loop's time for all who catch up, in one turn.
SLICE_S = 0.002
#: Snapshots that one client is sent between two looks at the clock.
BURST = 16
#: Clients that are waited for at once, each for its socket or for the past, and for how many seconds. Who takes longer
#: makes room for the next, and stands in the queue again when its socket has taken what it was sent.
SERVED, SERVED_S = 64, 0.1
#: Clients for which the past is read at once, and how many snapshots at a time.
READERS, PAGE = 8, 200
#: Seconds that a client waits for what is older than the recent snapshots, before it is told that it is missing.
PAST_PATIENCE_S = 10.0
#: Seconds that a client whose place is ahead of this process waits for it.
AHEAD_PATIENCE_S = 60.0


class CatchUp:
    """The clients that are behind. An Attendant (streaming.delivery.client)."""

    def __init__(
        self,
        recent: RecentSnapshots,
        *,
        past: Past | None,
        patience_s: float,
        audience: Audience,
        leave: Callable[[Client], None],
        slice_s: float = SLICE_S,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`patience_s`: how long one send may wait for its client. `audience`: where those go who have everything.

        `leave`: called with a client that is gone. `clock`: seconds, monotonic and precise.
        """
        self._recent = recent
        self._past = past
        self._patience_s = patience_s
        self._slice_s = slice_s
        self._clock = clock
        self.leave = leave
        self.settle = audience.settle
        self.step_back = audience.step_back
        self.unread = 0  # times that the past could not be read for a client
        self._queue: deque[Client] = deque()
        self._served: dict[Client, asyncio.TimerHandle] = {}  # who is waited for, and what ends that
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._ahead: dict[Client, float] = {}  # since when, on the loop's clock
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()
        self._readers = asyncio.Semaphore(READERS)
        self._running: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many clients stand in the queue; those that wait for their own sockets do not."""
        return len(self._queue)

    def enter(self, client: Client) -> None:
        """See Attendant. Who is being served goes on, and who lacks little goes first: it costs the others nothing."""
        client.is_behind = True
        if self._release(client) or self._recent.count_after(client.after) <= BURST:
            self._queue.appendleft(client)
        else:
            self._queue.append(client)
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    def wait(self, client: Client, rest: Awaitable[None]) -> None:
        """See Attendant."""
        client.is_behind = True
        client.waiting = asyncio.create_task(self._wait(client, rest))

    def note_ahead(self, client: Client, frame: Frame) -> None:
        """See Attendant. Its place was learned from a process that is ahead of this one, by moments.

        Where this one does not come after it for AHEAD_PATIENCE_S, the place is not one of this sequence (the database
        was replaced, say): the client is told so with `frame`, and goes on from there.
        """
        now = asyncio.get_running_loop().time()
        if now - self._ahead.setdefault(client, now) > AHEAD_PATIENCE_S:
            del self._ahead[client]
            client.send(frame.after_a_hole(client.after))

    def forget(self, client: Client) -> None:
        """Keep nothing of a client that is gone."""
        self._ahead.pop(client, None)
        self._release(client)

    def pause(self) -> None:
        """Send nothing to those in the queue until `go_on` is called."""
        self._may_go_on.clear()

    def go_on(self) -> None:
        """Send to those in the queue again."""
        self._may_go_on.set()

    async def aclose(self) -> None:
        """Send nothing more to those in the queue."""
        self._queue.clear()
        for client in tuple(self._served):
            self._release(client)
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        """Serve the queue until it is empty."""
        try:
            while self._queue:
                await self._has_room.wait()
                await self._may_go_on.wait()
                until = self._clock() + self._slice_s
                while self._queue and self._has_room.is_set():
                    self._serve(self._queue.popleft())
                    if self._clock() >= until:
                        break
                await asyncio.sleep(0)
        finally:
            self._running = None

    def _wait_for(self, client: Client) -> None:
        """Count `client` among those that are served, until it comes back or has taken SERVED_S seconds."""
        self._release(client)
        self._served[client] = asyncio.get_running_loop().call_later(SERVED_S, self._release, client)
        if len(self._served) >= SERVED:
            self._has_room.clear()

    def _release(self, client: Client) -> bool:
        """Make room for the next; False where `client` was not among those that are served."""
        timer = self._served.pop(client, None)
        if timer is None:
            return False
        timer.cancel()
        self._has_room.set()
        return True

    def _serve(self, client: Client) -> None:
        """Send one client what it may have in one turn, and queue it again where that was not all."""
        if client.is_gone:
            return
        for _ in range(BURST):
            frame = self._recent.next_after(client.after)
            if self._past is not None and not client.past_is_read and self._is_past_needed(client.after, frame):
                client.waiting = asyncio.create_task(self._send_past(client, self._past))
                self._wait_for(client)
                return
            if frame is None:
                client.is_behind = client.past_is_read = False
                self.settle(client)
                return
            if client.takes_stretches and frame.shown_after(client.after) is frame:
                if not self._note(client, client.send_stretch(self._recent.join_from(frame))):
                    return
                break
            if not self.send(client, frame):
                return
        self._queue.appendleft(client)

    def _is_past_needed(self, after: int, frame: Frame | None) -> bool:
        """Whether there may be snapshots between the id `after` and `frame`, the next one that is kept here."""
        if frame is None:
            return not self._recent
        return frame.leaves_hole_after(after) or (frame.previous is None and frame is self._recent.oldest)

    def send(self, client: Client, frame: Frame) -> bool:
        """Send `frame`, or tell with it that it does not continue what the client has; as Client.send."""
        return self._note(client, client.send(frame.shown_after(client.after)))

    def _note(self, client: Client, may_follow: bool) -> bool:
        """Wait for `client` where nothing may follow at once, and it is there; returns `may_follow`."""
        if not may_follow and not client.is_gone:
            self._wait_for(client)
        return may_follow

    async def _wait(self, client: Client, rest: Awaitable[None]) -> None:
        """Await the rest of a send, then have the client served again, unless somebody waited for it (`_is_taken`)."""
        if await self._settle(client, rest) and client.waiting is asyncio.current_task():
            client.waiting = None
            self.enter(client)

    async def _settle(self, client: Client, rest: Awaitable[None]) -> bool:
        """Await the rest of a send; False where the client is gone. One that does not read is closed (1013)."""
        try:
            async with asyncio.timeout(self._patience_s):
                await rest
        except TimeoutError:
            client.was_stuck = True
            await client.close(TRY_AGAIN_LATER)
        except (OSError, RuntimeError):
            self.leave(client)
        except Exception:
            logger.exception("Sending to a client failed in a way that no server should; it is let go.")
            self.leave(client)
        return not client.is_gone

    async def _send_past(self, client: Client, past: Past) -> None:
        """Send a page of what is older than the recent snapshots, then have the client served again.

        Nothing is kept, and nobody else waits, for a socket that is full: what it did not take is read again.
        """
        async with self._readers:
            frame = self._recent.next_after(client.after)
            page: list[Frame] = []
            if self._is_past_needed(client.after, frame):
                try:
                    page = await past.between(client.after, frame.id if frame else None, PAST_PATIENCE_S, PAGE)
                except PastUnreadableError as error:
                    self.unread += 1
                    logger.warning("A client cannot be sent what it missed after %d: %s", client.after, error)
                client.past_is_read = not page
            limit = asyncio.get_running_loop().time() + SERVED_S
            for number, one in enumerate(page, 1):
                if not self.send(client, one) and not await self._is_taken(client, limit):
                    return
                if number % BURST == 0:
                    await asyncio.sleep(0)
                    await self._may_go_on.wait()
        if not client.is_gone:
            client.waiting = None
            self.enter(client)

    async def _is_taken(self, client: Client, limit: float) -> bool:
        """Wait until what `client` was sent last is on its way; False at `limit` (the loop's clock), or if it left."""
        sending, client.waiting = client.waiting, asyncio.current_task()
        if sending is None or client.is_gone:
            return False
        try:
            done, _ = await asyncio.wait([sending], timeout=limit - asyncio.get_running_loop().time())
        except asyncio.CancelledError:
            sending.cancel()
            raise
        if not done:
            client.waiting = sending
        return bool(done) and not client.is_gone
