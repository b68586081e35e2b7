"""One open connection's place in the stream.

A client either has everything: then the hub's sweep sends it each new snapshot directly, with no task. Or it is behind:
then it stands in the queue of those who catch up, or waits for its own socket. A new connection with `since`, and one
whose socket is full, are the same case. So every client gets every snapshot once and in order, a slow one holds up
nobody, and what it has not got yet is kept once for all, in the recent snapshots.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Protocol

from access.share import Share
from access.viewer import Admission
from streaming.delivery.recent import Stretch
from streaming.delivery.sending import NO_DESCRIPTOR, Sender
from streaming.delivery.sharing import SharedSender
from streaming.wire import Frame

logger = logging.getLogger(__name__)

#: Seconds that a goodbye may wait for a client that does not read.
CLOSE_PATIENCE_S = 5.0
#: The place of a client that wants whatever comes next.
FROM_NEXT = -1


class Attendant(Protocol):
    """Who looks after the clients that are behind, and lets those go that are gone."""

    def enter(self, client: "Client") -> None:
        """Bring `client`, which lacks something, up to date."""

    def wait(self, client: "Client", rest: Awaitable[None]) -> None:
        """Await the rest of a send to `client`, then bring it up to date."""

    def settle(self, client: "Client") -> None:
        """`client` may have everything now."""

    def step_back(self, client: "Client") -> None:
        """Do not write to the socket of `client` directly: something waits before it, or it is closed."""

    def note_ahead(self, client: "Client", frame: Frame) -> None:
        """`client` says that it has snapshots up to its place, but only `frame`, which is older, was published now."""

    def leave(self, client: "Client") -> None:
        """Remove `client`; may be called more than once."""


class Block(dict[int, "Client"]):
    """Clients that are written to together, by the descriptors of their sockets (streaming.delivery.audience).

    All of them have everything up to the id `after`. `share`: what of it is shown to them; None: everything.
    """

    __slots__ = ("after", "share")

    def __init__(self, after: int, share: Share | None) -> None:
        super().__init__()
        self.after = after
        self.share = share


class Client:
    """A connection's place. `after`: the id of the newest snapshot that it has (FROM_NEXT: it wants none before).

    Where it stands in a block, `after` is what it had when it came there: the block knows what it has.
    """

    __slots__ = (
        "_attendant",
        "after",
        "block",
        "is_behind",
        "is_gone",
        "past_is_read",
        "send_now",
        "waiting",
        "was_stuck",
    )
    #: On what it was let in; None: anybody is.
    admission: ClassVar[Admission | None] = None
    #: What is shown to it; None: everything.
    share: ClassVar[Share | None] = None

    def __init__(self, send_now: Sender, attendant: Attendant, after: int) -> None:
        self.send_now = send_now
        self._attendant = attendant
        self.after = after
        self.block: Block | None = None
        self.is_behind = False
        self.is_gone = False
        self.was_stuck = False
        self.past_is_read = False  # nobody has what it lacks before the next snapshot
        self.waiting: asyncio.Task[None] | None = None  # for its own socket, or for history
        send_now.watch(self)

    def offer(self, frame: Frame, before: int) -> None:
        """Send `frame` to a client that has everything up to the id `before`, the one that this process had before it.

        One that has it already, from another process, is left out; one that lacks more is looked after. Never raises:
        what goes wrong with one client is not for the sweep over all of them.
        """
        if self.is_behind or self.is_gone or self.block is not None:
            return
        if self.after != before and self.after != FROM_NEXT:
            if frame.id > self.after:
                self._attendant.enter(self)
            else:
                self._attendant.note_ahead(self, frame)
            return
        if self.send(frame):
            self._attendant.settle(self)

    def send(self, frame: Frame) -> bool:
        """Send `frame`; True where more may follow at once, False where the client waits or is gone. Never raises."""
        self.after = frame.id
        return self._begin(self.send_now, frame)

    @property
    def has(self) -> int:
        """The id of the newest snapshot that it was sent."""
        return self.after if self.block is None else self.block.after

    @property
    def takes_stretches(self) -> bool:
        """Whether several snapshots may be sent to it at once: it gets them as they are, on a socket of ours."""
        return self.share is None and self.send_now.descriptor != NO_DESCRIPTOR

    def send_stretch(self, stretch: Stretch) -> bool:
        """Send several at once; only where it `takes_stretches`. See send."""
        self.after = stretch.id
        return self._begin(self.send_now.write, stretch.encoded)

    def finish(self, rest: bytes) -> None:
        """Send the `rest` of a frame, of which the socket has taken the beginning. Never raises."""
        self._begin(self.send_now.write, rest)

    def step_back(self) -> None:
        """Called by the sender: something waits before the socket, or it is closed."""
        self._attendant.step_back(self)

    def _begin(self, send: Callable[[Any], Awaitable[None] | None], what: Any) -> bool:
        try:
            rest = send(what)
        except (OSError, RuntimeError):  # what servers raise for a connection that is closed or closing
            self._attendant.leave(self)
            return False
        except Exception:
            logger.exception("Sending to a client failed in a way that no server should; it is let go.")
            self._attendant.leave(self)
            return False
        if rest is None:
            return True
        self._attendant.wait(self, rest)
        return False

    async def close(self, code: int, reason: str = "", patience_s: float = CLOSE_PATIENCE_S) -> None:
        """Close the connection with `code`; where that does not get through in time, drop it."""
        self._attendant.leave(self)
        try:
            rest = self.send_now.close(code, reason)
            if rest is not None:
                async with asyncio.timeout(patience_s):
                    await rest
        except TimeoutError:
            self.send_now.drop()
        except (OSError, RuntimeError):
            pass  # closed already

    def forget(self) -> None:
        """Send nothing more; called by whoever it said goodbye to."""
        self.is_gone = True
        self.send_now.watch(None)
        if self.waiting is not None and self.waiting is not asyncio.current_task():
            self.waiting.cancel()


class AdmittedClient(Client):
    """A client that was let in because of who it is: eight bytes more, where access is not open."""

    __slots__ = ("admission",)

    def __init__(self, send_now: Sender, attendant: Attendant, after: int, admission: Admission) -> None:
        share = admission.viewer.share
        super().__init__(SharedSender(send_now, share) if share is not None else send_now, attendant, after)
        self.admission = admission  # type: ignore[misc]  # a slot here, nothing in the class above

    @property
    def share(self) -> Share | None:  # type: ignore[override]
        """What its link shows."""
        return self.admission.viewer.share if self.admission is not None else None
