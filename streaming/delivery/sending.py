"""How one snapshot gets onto a connection: now where the socket takes it, later where it does not.

Each accepted connection has a `Sender`, made from its ASGI `send`. The one here works under any ASGI server; what
writes to the sockets of Daphne and uvicorn themselves is in `streaming.servers`.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, ClassVar, Protocol

from streaming.delivery.eager import begin
from streaming.wire import Frame

#: What a sender has that may not be written past.
NO_DESCRIPTOR = -1

AsgiSend = Callable[[Mapping[str, Any]], Coroutine[Any, Any, None]]


class SteppingBack(Protocol):
    """A client whose socket is written to directly."""

    @property
    def has(self) -> int:
        """The id of the newest snapshot that it was sent."""

    def step_back(self) -> None:
        """Something waits before the socket, or it is closed: do not write to it directly."""


class Sender(Protocol):
    """Sends to one connection, as far as it gets without waiting.

    Calling it with a frame, or `close`, returns None where that was all, else the rest: to be awaited, in a task,
    before anything else is sent. Both raise OSError or RuntimeError where the connection is closed.
    """

    #: What it is called in health.
    name: ClassVar[str]

    @property
    def descriptor(self) -> int:
        """Of the socket that whole frames may be written to directly while `is_clear`; NO_DESCRIPTOR: never."""

    def watch(self, client: "SteppingBack | None") -> None:
        """Tell `client` (None: nobody any more) when the socket is not clear any more."""

    def is_clear(self) -> bool:
        """Whether a frame may be written to the descriptor: nothing waits before it, and no goodbye was said.

        When that ends, `step_back` is called of the client that watches, before anything else runs.
        """

    def write(self, data: bytes, /) -> Awaitable[None] | None:
        """Send bytes of frames, as when called with one; only where there is a descriptor."""

    def __call__(self, frame: Frame, /) -> Awaitable[None] | None: ...

    def close(self, code: int, reason: str) -> Awaitable[None] | None: ...

    def drop(self) -> None:
        """Abort the connection, without a goodbye, where the server lets us reach it."""


MakeSender = Callable[[AsgiSend], Sender]


class AsgiSender:
    """A Sender for any ASGI server: `send` is awaited in a task, each time, for it may do there what it likes."""

    __slots__ = ("_send",)
    name: ClassVar[str] = "asgi"
    descriptor = NO_DESCRIPTOR

    def __init__(self, send: AsgiSend) -> None:
        self._send = send

    def is_clear(self) -> bool:
        """See Sender: there is no descriptor."""
        return False

    def watch(self, client: "SteppingBack | None") -> None:
        """See Sender: there is no descriptor to watch."""

    def write(self, data: bytes) -> Awaitable[None] | None:
        """See Sender."""
        raise NotImplementedError

    def __call__(self, frame: Frame) -> Awaitable[None] | None:
        return self._send(frame.asgi_message)

    def close(self, code: int, reason: str) -> Awaitable[None] | None:
        return self._send({"type": "websocket.close", "code": code, "reason": reason})

    def drop(self) -> None:
        """See Sender; the connection's protocol, where `send` is a method of it, knows its transport."""
        abort = getattr(getattr(getattr(self._send, "__self__", None), "transport", None), "abort", None)
        if abort is not None:
            abort()


class SteppingSender(AsgiSender):
    """A Sender for a server whose `send` nearly always finishes without waiting: no task then.

    Its first step runs outside the connection's own task (see eager.begin). A server whose `send` looks at the current
    task, or opens a cancel scope (anyio, trio), breaks by that: this is for the servers that were looked at.
    """

    __slots__ = ()
    name: ClassVar[str] = "stepping"

    def __call__(self, frame: Frame) -> Awaitable[None] | None:
        return begin(self._send(frame.asgi_message))

    def close(self, code: int, reason: str) -> Awaitable[None] | None:
        return begin(self._send({"type": "websocket.close", "code": code, "reason": reason}))
