"""Sends under Daphne: straight to the socket, and knows when a client does not read.

Daphne's `send` costs three times as much, never waits (its buffer for a client that does not read grows until a ping
goes unanswered), and cannot close with 1012 or 1013: see docs/benchmarks.md.
"""

import asyncio
import functools
from collections.abc import Awaitable
from typing import ClassVar

from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.abstract import FileDescriptor
from twisted.internet.tcp import Connection

from streaming.delivery.sending import AsgiSend, Sender, SteppingSender
from streaming.servers.internals import Door, needs
from streaming.wire import Frame


class DaphneSender:
    """A Sender that also is the push producer of the connection's transport.

    Twisted pauses a producer when more than 64 KiB wait in the transport's buffer and resumes it when they are gone
    (twisted.internet.interfaces.IPushProducer). The place is taken by the HTTP channel that the connection began with;
    ours replaces it, which also lets that channel's memory go.
    """

    __slots__ = ("_protocol", "_resumed")
    name: ClassVar[str] = "daphne-socket"

    def __init__(self, protocol: WebSocketProtocol) -> None:
        self._protocol = protocol
        self._resumed: asyncio.Event | None = None
        protocol.transport.unregisterProducer()
        protocol.transport.registerProducer(self, True)

    def __call__(self, frame: Frame) -> Awaitable[None] | None:
        if self._resumed is not None:
            return self._write_when_resumed(frame, self._resumed)
        self._write(frame)
        return None

    async def _write_when_resumed(self, frame: Frame, resumed: asyncio.Event) -> None:
        await resumed.wait()
        self._write(frame)

    def _write(self, frame: Frame) -> None:
        """Give the socket what it takes now; what it does not take goes into the transport's buffer, as usual.

        Twisted's own way is to buffer everything and have the loop write it: two changes to the poll set and a loop
        turn for each message.
        """
        protocol = self._protocol
        if protocol.state != protocol.STATE_OPEN:
            return
        encoded = frame.encoded
        transport = protocol.transport
        if transport.dataBuffer or transport._tempDataBuffer:  # something waits already: behind it
            transport.write(encoded)
            return
        written = transport.writeSomeData(encoded)
        if written != len(encoded):  # not all of it, or an error instead of a number: then the loop meets it, too
            transport.write(encoded[written:] if isinstance(written, int) else encoded)

    def close(self, code: int, reason: str) -> None:
        """Send the close frame; Daphne aborts the connection a second later where the client does not answer.

        Autobahn's sendClose, which Daphne calls, refuses the codes that servers may use (1009, 1012, 1013), and Daphne
        does not hand it the reason; sendCloseFrame, which Daphne calls for its own 1011, takes both.
        """
        if self._protocol.state == self._protocol.STATE_OPEN:
            self._protocol.sendCloseFrame(code=code, reasonUtf8=reason.encode()[:123])

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


class DaphneDoor(Door):
    """What is relied on in Daphne, Autobahn and Twisted."""

    server = "daphne"
    expected = (
        needs(WebSocketProtocol, "STATE_OPEN", "sendCloseFrame"),
        needs(FileDescriptor, "dataBuffer", "_tempDataBuffer", "registerProducer", "unregisterProducer"),
        needs(Connection, "writeSomeData", "TLS", "abortConnection"),
    )

    def make_sender(self, send: AsgiSend) -> Sender:
        """The sender of an accepted connection: Daphne's `send` is functools.partial(handle_reply, protocol)."""
        protocol = send.args[0] if isinstance(send, functools.partial) and send.args else None
        transport = getattr(protocol, "transport", None)
        if (
            self.is_usable
            and isinstance(protocol, WebSocketProtocol)
            and isinstance(transport, Connection)
            and not transport.TLS
        ):
            return DaphneSender(protocol)
        return SteppingSender(send)  # it never waits
