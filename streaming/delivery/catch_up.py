"""Brings clients that are behind up to date: all of them within one budget of the loop's time.

However many they are and however much they lack, they get the loop for two milliseconds at a time, and not at all while
a new snapshot goes out: who has everything comes first. What is older than the recent snapshots is read from the past,
a page at a time, for a few clients at once, so that memory stays bounded.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from streaming.delivery.client import Client
from streaming.delivery.close_codes import TRY_AGAIN_LATER
from streaming.delivery.recent import RecentSnapshots
from streaming.wire import Frame

logger = logging.getLogger(__name__)

#: Seconds of the loop's time for all who catch up, in one turn.
SLICE_S = 0.002
#: Snapshots that one client is sent before the next client has its turn.
BURST = 16
#: Clients for which the past is read at once, and how many snapshots at a time.
READERS, PAGE = 8, 200
#: Seconds that a client waits for what is older than the recent snapshots, before it is told that it is missing.
PAST_PATIENCE_S = 10.0
#: Seconds that a client whose place is ahead of this process waits for it.
AHEAD_PATIENCE_S = 60.0


class PastUnreadableError(Exception):
    """Nobody who keeps the past answers; the message says why."""


class Past(Protocol):
    """Where snapshots are fetched from that this process has not."""

    async def newest(self, count: int, patience_s: float) -> list[Frame]:
        """The newest `count`, oldest first. Raises PastUnreadableError after `patience_s` seconds."""

    async def between(self, after: int, before: int | None, patience_s: float, at_most: int) -> list[Frame]:
        """The oldest ones between two ids (exclusive; None: no end), oldest first. Raises as `newest`."""


class CatchUp:
    """The clients that are behind. An Attendant (streaming.delivery.client)."""

    def __init__(
        self,
        recent: RecentSnapshots,
        *,
        past: Past | None,
        patience_s: float,
        leave: Callable[[Client], None],
        slice_s: float = SLICE_S,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`patience_s`: how long one send may wait for its client. `leave`: called with a client that is gone.

        `clock`: seconds, monotonic and precise.
        """
        self._recent = recent
        self._past = past
        self._patience_s = patience_s
        self._slice_s = slice_s
        self._clock = clock
        self.leave = leave
        self.unread = 0  # times that the past could not be read for a client
        self._queue: deque[Client] = deque()
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
        """See Attendant."""
        client.is_behind = True
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

    def pause(self) -> None:
        """Send nothing to those in the queue until `go_on` is called."""
        self._may_go_on.clear()

    def go_on(self) -> None:
        """Send to those in the queue again."""
        self._may_go_on.set()

    async def aclose(self) -> None:
        """Send nothing more to those in the queue."""
        self._queue.clear()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        """Serve the queue until it is empty."""
        try:
            while self._queue:
                await self._may_go_on.wait()
                until = self._clock() + self._slice_s
                while self._queue:
                    self._serve(self._queue.popleft())
                    if self._clock() >= until:
                        break
                await asyncio.sleep(0)
        finally:
            self._running = None

    def _serve(self, client: Client) -> None:
        """Send one client what it may have in one turn, and queue it again where that was not all."""
        if client.is_gone:
            return
        for _ in range(BURST):
            frame = self._recent.next_after(client.after)
            if self._past is not None and not client.past_is_read and self._is_past_needed(client.after, frame):
                client.waiting = asyncio.create_task(self._send_past(client, self._past))
                return
            if frame is None:
                client.is_behind = client.past_is_read = False
                return
            if not self.send(client, frame):
                return
        self._queue.append(client)

    def _is_past_needed(self, after: int, frame: Frame | None) -> bool:
        """Whether there may be snapshots between the id `after` and `frame`, the next one that is kept here."""
        if frame is None:
            return not self._recent
        return frame.leaves_hole_after(after) or (frame.previous is None and frame is self._recent.oldest)

    def send(self, client: Client, frame: Frame) -> bool:
        """Send `frame`, or tell with it that what came before cannot be had; as Client.send."""
        after = client.after
        return client.send(frame.after_a_hole(after) if frame.leaves_hole_after(after) else frame)

    async def _wait(self, client: Client, rest: Awaitable[None]) -> None:
        """Await the rest of a send, then have the client served again."""
        if await self._settle(client, rest):
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
        """Send what is older than the recent snapshots, at the client's pace, then have it served from those."""
        async with self._readers:
            frame = self._recent.next_after(client.after)
            while not client.is_gone and self._is_past_needed(client.after, frame):
                try:
                    page = await past.between(client.after, frame.id if frame else None, PAST_PATIENCE_S, PAGE)
                except PastUnreadableError as error:
                    self.unread += 1
                    logger.warning("A client cannot be sent what it missed after %d: %s", client.after, error)
                    page = []
                if not page:
                    client.past_is_read = True
                    break
                await self._send_page(client, page)
                frame = self._recent.next_after(client.after)
        if not client.is_gone:
            client.waiting = None
            self.enter(client)

    async def _send_page(self, client: Client, page: list[Frame]) -> None:
        """Send `page`, or as much of it as the client stays for."""
        for number, frame in enumerate(page, 1):
            after, client.after = client.after, frame.id
            shown = frame.after_a_hole(after) if frame.leaves_hole_after(after) else frame
            if not await self._settle(client, push(client, shown)):
                return
            if number % BURST == 0:
                await asyncio.sleep(0)
                await self._may_go_on.wait()


async def push(client: Client, frame: Frame) -> None:
    """Send `frame` and wait until that is done; raises what the client's sender raises."""
    rest = client.send_now(frame)
    if rest is not None:
        await rest
