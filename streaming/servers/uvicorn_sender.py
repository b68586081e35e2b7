"""Sends under uvicorn: straight to the socket while nothing waits before it.

uvloop's own way is to queue what is written and to write it when the loop turns, which at 5,000 clients costs 1 µs a
message; its `send` would make the frame again for each client.
"""

import os
from collections.abc import Awaitable
from typing import ClassVar

from uvicorn.protocols.utils import is_ssl
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from streaming.delivery.sending import AsgiSend, Sender, SteppingSender
from streaming.servers.internals import Door, needs
from streaming.wire import Frame


class UvicornSender(SteppingSender):
    """A Sender for uvicorn's `websockets-sansio` protocol."""

    __slots__ = ("_fd", "_protocol", "_transport")
    name: ClassVar[str] = "uvicorn-socket"

    def __init__(self, send: AsgiSend, protocol: WebSocketsSansIOProtocol) -> None:
        super().__init__(send)
        self._protocol = protocol
        self._transport = protocol.transport
        self._fd = protocol.transport.get_extra_info("socket").fileno()

    def __call__(self, frame: Frame) -> Awaitable[None] | None:
        transport = self._transport
        if (
            transport.get_write_buffer_size() or self._protocol.close_sent or transport.is_closing()
        ):  # closing: from here on the number may be another connection's
            return super().__call__(frame)
        encoded = frame.encoded
        try:
            written = os.write(self._fd, encoded)
        except OSError:  # full, or broken: then the transport meets it, too
            written = 0
        if written != len(encoded):
            transport.write(encoded[written:])
        return None


class UvicornDoor(Door):
    """What is relied on in uvicorn's WebSocket protocol."""

    server = "uvicorn"
    expected = (needs(WebSocketsSansIOProtocol, "transport", "close_sent", "writable"),)

    def make_sender(self, send: AsgiSend) -> Sender:
        """The sender of an accepted connection: uvicorn's `send` is a method of its protocol."""
        protocol = getattr(send, "__self__", None)
        if self.is_usable and isinstance(protocol, WebSocketsSansIOProtocol) and not is_ssl(protocol.transport):
            return UvicornSender(send, protocol)
        return SteppingSender(send)  # it waits for its `writable` event and nothing else, in each of its protocols
