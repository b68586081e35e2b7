"""One open connection's place in the stream.

A client is in one of two states. Either it has everything: then the hub's sweep sends it each new snapshot directly,
with no task. Or it is catching up: then a task of its own walks the recent snapshots at the client's pace. A new
connection with `since`, and one whose socket is full, are the same case. So every client gets every snapshot once and
in order, a slow one holds up nobody, and what it has not got yet is kept once for all, in the recent snapshots.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from streaming.delivery.recent import RecentSnapshots
from streaming.delivery.sending import Sender
from streaming.wire import Frame

logger = logging.getLogger(__name__)

#: How many snapshots of a replay are sent before others get a turn.
BURST = 32
#: Seconds that a goodbye may wait for a client that does not read.
CLOSE_PATIENCE_S = 5.0
#: The close code of a client that does not read: try again later (IANA's registry of WebSocket close codes).
TRY_AGAIN_LATER = 1013


class Client:
    """A connection's place in the stream. `next`: sequence number of the first snapshot that it has not been sent."""

    __slots__ = ("_catching_up", "_leave", "_patience_s", "_recent", "_send_now", "is_gone", "next", "was_stuck")

    def __init__(
        self,
        recent: RecentSnapshots,
        send_now: Sender,
        *,
        first: int,
        patience_s: float,
        leave: Callable[["Client"], None],
    ) -> None:
        """`first`: the number to start with. `patience_s`: seconds that one send may wait. `leave`: called at its end.

        It may be called more than once.
        """
        self._recent = recent
        self._send_now = send_now
        self._patience_s = patience_s
        self._leave = leave
        self.next = first
        self.is_gone = False
        self.was_stuck = False
        self._catching_up: asyncio.Task[None] | None = None

    @property
    def is_catching_up(self) -> bool:
        return self._catching_up is not None

    def offer(self, frame: Frame, sequence: int) -> None:
        """Send `frame` now, unless this client is catching up: then its task will come to it, or has been there.

        Never raises: what goes wrong with one client is not for the sweep over all of them.
        """
        if self._catching_up is not None or self.is_gone or sequence < self.next:
            return
        if sequence > self.next:  # it was left out of a sweep that broke off
            self.catch_up()
            return
        self.next = sequence + 1
        try:
            rest = self._send_now(frame)
        except (OSError, RuntimeError):  # what servers raise for a connection that is closed or closing
            self._leave(self)
        except Exception:
            logger.exception("Sending to a client failed in a way that no server should; it is let go.")
            self._leave(self)
        else:
            if rest is not None:
                self._catching_up = asyncio.create_task(self._catch_up(rest))

    def catch_up(self) -> None:
        """Send what this client has not got: directly if it is one snapshot, else in a task at the client's pace."""
        frame = self._recent.frame(self.next)
        if frame is not None and self.next + 1 == self._recent.end:
            self.offer(frame, self.next)
        elif frame is not None:
            self._catching_up = asyncio.create_task(self._catch_up())

    async def _catch_up(self, rest: Awaitable[None] | None = None) -> None:
        """Await the `rest` of a send that had to wait, then send snapshot after snapshot until none is left."""
        burst = 0
        try:
            await self._wait(rest, self._patience_s)
            while (frame := self._recent.frame(self.next)) is not None:
                self.next = max(self.next, self._recent.first) + 1
                await self._wait(self._send_now(frame), self._patience_s)
                burst += 1
                if burst % BURST == 0:
                    await asyncio.sleep(0)
        except TimeoutError:
            self.was_stuck = True
            await self.close(TRY_AGAIN_LATER)
        except (OSError, RuntimeError):
            self._leave(self)
        except Exception:
            logger.exception("Sending to a client failed in a way that no server should; it is let go.")
            self._leave(self)
        finally:
            self._catching_up = None

    async def _wait(self, rest: Awaitable[None] | None, patience_s: float) -> None:
        """Await the rest of a send, if there is one; raises TimeoutError after `patience_s` seconds."""
        if rest is not None:
            async with asyncio.timeout(patience_s):
                await rest

    async def close(self, code: int, reason: str = "", patience_s: float = CLOSE_PATIENCE_S) -> None:
        """Close the connection with `code`; where that does not get through in time, drop it."""
        self._leave(self)
        try:
            await self._wait(self._send_now.close(code, reason), patience_s)
        except TimeoutError:
            self._send_now.drop()
        except (OSError, RuntimeError):
            pass  # closed already

    def forget(self) -> None:
        """Send nothing more; called by whoever it said goodbye to."""
        self.is_gone = True
        if self._catching_up is not None and self._catching_up is not asyncio.current_task():
            self._catching_up.cancel()
