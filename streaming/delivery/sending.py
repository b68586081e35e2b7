"""How one message gets onto a connection: now and without a task where the socket takes it, later where it does not.

Every connection is sent to through a `SendNow`. Under any ASGI server it steps the server's own `send`. Under Daphne
and uvicorn it writes the frame, made once for all clients, to the socket itself. For uvicorn that saves making the
frame again and a queue. Daphne's `send` costs three times as much, never waits (its buffer for a client that does not
read grows until a ping goes unanswered), and cannot close with 1012 or 1013: see docs/benchmarks.md. Both need the
protocol object that the servers' `send` belongs to; where that is not as expected (another version), or the server does
TLS itself, `send` is used.
"""

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.tcp import Connection
from uvicorn.protocols.utils import is_ssl
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

from streaming.delivery.eager import begin

AsgiMessage = Mapping[str, Any]
AsgiSend = Callable[[AsgiMessage], Coroutine[Any, Any, None]]
#: Sends as far as it gets without waiting. Returns None where that was all of it, else the rest, to be awaited. Raises
#: OSError or RuntimeError where the connection is closed.
SendNow = Callable[[AsgiMessage], Awaitable[None] | None]


class Framer:
    """Frames messages (RFC 6455, section 5.2), the same one only once: a sweep sends it to everybody."""

    def __init__(self) -> None:
        self._message: AsgiMessage = {}
        self._frame = b""

    def __call__(self, message: AsgiMessage) -> bytes:
        """The text frame of a `websocket.send` message."""
        if message is not self._message:
            self._message = message
            self._frame = Frame(Opcode.TEXT, message["text"].encode()).serialize(mask=False)
        return self._frame


frame_of = Framer()


class ServerSend:
    """A SendNow for any ASGI server whose `send` waits while the client does not read."""

    __slots__ = ("_send",)

    def __init__(self, send: AsgiSend) -> None:
        self._send = send

    def __call__(self, message: AsgiMessage) -> Awaitable[None] | None:
        return begin(self._send(message))

    def drop(self) -> None:
        """Abort the connection, without a goodbye, where the server lets us reach it."""
        abort = getattr(getattr(getattr(self._send, "__self__", None), "transport", None), "abort", None)
        if abort is not None:
            abort()


class UvicornSend(ServerSend):
    """A SendNow for uvicorn's `websockets-sansio` protocol: straight to the socket while nothing waits before it.

    uvloop's own way is to queue what is written and to write it when the loop turns.
    """

    __slots__ = ("_fd", "_protocol", "_transport")

    def __init__(self, send: AsgiSend, protocol: WebSocketsSansIOProtocol) -> None:
        super().__init__(send)
        self._protocol = protocol
        self._transport = protocol.transport
        self._fd = protocol.transport.get_extra_info("socket").fileno()

    def __call__(self, message: AsgiMessage) -> Awaitable[None] | None:
        transport = self._transport
        if (
            message["type"] != "websocket.send"
            or transport.get_write_buffer_size()
            or self._protocol.close_sent
            or transport.is_closing()  # from here on the number may be another connection's
        ):
            return super().__call__(message)
        frame = frame_of(message)
        try:
            written = os.write(self._fd, frame)
        except OSError:  # full, or broken: then the transport meets it, too
            written = 0
        if written != len(frame):
            transport.write(frame[written:])
        return None


class DaphneSend:
    """A SendNow for Daphne, straight to the socket, which also is the push producer of the connection's transport.

    Twisted pauses a producer when more than 64 KiB wait in the transport's buffer and resumes it when they are gone
    (twisted.internet.interfaces.IPushProducer). The place is taken by the HTTP channel that the connection began with;
    ours replaces it, which also lets that channel's memory go.
    """

    __slots__ = ("_protocol", "_resumed")

    def __init__(self, protocol: WebSocketProtocol) -> None:
        self._protocol = protocol
        self._resumed: asyncio.Event | None = None
        protocol.transport.unregisterProducer()
        protocol.transport.registerProducer(self, True)

    def __call__(self, message: AsgiMessage) -> Awaitable[None] | None:
        if message["type"] == "websocket.close":
            self._close(message)
        elif self._resumed is not None:
            return self._write_when_resumed(message, self._resumed)
        else:
            self._write(message)
        return None

    async def _write_when_resumed(self, message: AsgiMessage, resumed: asyncio.Event) -> None:
        await resumed.wait()
        self._write(message)

    def _write(self, message: AsgiMessage) -> None:
        """Give the socket what it takes now; what it does not take goes into the transport's buffer, as usual.

        Twisted's own way is to buffer everything and have the loop write it: two changes to the poll set and a loop
        turn for each message.
        """
        protocol = self._protocol
        if protocol.state != protocol.STATE_OPEN:
            return
        frame = frame_of(message)
        transport = protocol.transport
        if transport.dataBuffer or transport._tempDataBuffer:  # something waits already: behind it
            transport.write(frame)
            return
        written = transport.writeSomeData(frame)
        if written != len(frame):  # not all of it, or an error instead of a number: then the loop meets it, too
            transport.write(frame[written:] if isinstance(written, int) else frame)

    def _close(self, message: AsgiMessage) -> None:
        """Send the close frame; Daphne aborts the connection a second later where the client does not answer.

        Autobahn's sendClose, which Daphne calls, refuses the codes that servers may use (1009, 1012, 1013), and Daphne
        does not hand it the reason; sendCloseFrame, which Daphne calls for its own 1011, takes both.
        """
        if self._protocol.state == self._protocol.STATE_OPEN:
            reason = message.get("reason") or ""
            self._protocol.sendCloseFrame(code=message.get("code", 1000), reasonUtf8=reason.encode()[:123])

    def drop(self) -> None:
        """Abort the connection, without a goodbye."""
        self._protocol.transport.abortConnection()

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's names
        """Twisted: the buffer is full."""
        self._resumed = self._resumed or asyncio.Event()

    def resumeProducing(self) -> None:  # noqa: N802
        """Twisted: the buffer is empty."""
        if self._resumed is not None:
            self._resumed.set()
            self._resumed = None

    stopProducing = resumeProducing  # noqa: N815 - Twisted: the connection is lost; what is sent now goes nowhere


def make_send_now(send: AsgiSend) -> ServerSend | DaphneSend:
    """The SendNow of an accepted connection, from its ASGI `send`."""
    protocol = getattr(send, "__self__", None)  # uvicorn: a method of the connection's protocol
    if isinstance(protocol, WebSocketsSansIOProtocol) and not is_ssl(protocol.transport):
        return UvicornSend(send, protocol)
    protocol = send.args[0] if isinstance(send, functools.partial) and send.args else None  # Daphne: (protocol)
    transport = getattr(protocol, "transport", None)
    if (
        isinstance(protocol, WebSocketProtocol)
        and isinstance(transport, Connection)
        and not transport.TLS
        and hasattr(transport, "_tempDataBuffer")
    ):
        return DaphneSend(protocol)
    return ServerSend(send)
