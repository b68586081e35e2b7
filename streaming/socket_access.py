"""What ASGI does not give: Daphne's back-pressure and close codes, and a way to drop a peer that reads nothing.

`send` never waits under Daphne, whose buffer for a client that does not read grows until a ping goes unanswered, and it
cannot close with 1012 or 1013; and no server aborts a connection for an application. All this needs the protocol object
that the servers' `send` belongs to. Where it is not found (another server, another version), the stream works without:
`send` is used as it is.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from daphne.ws_protocol import WebSocketProtocol

Send = Callable[[Mapping[str, Any]], Coroutine[Any, Any, None]]


class PacedSend:
    """Daphne's send, which waits while the socket takes nothing: the push producer of the connection's transport.

    Twisted pauses a producer when more than 64 KiB wait in the transport's buffer and resumes it when they are gone
    (twisted.internet.interfaces.IPushProducer). The place is taken by the HTTP channel that the connection began with;
    ours replaces it, which also lets that channel's memory go.
    """

    __slots__ = ("_resumed", "_send", "protocol")

    def __init__(self, send: Send, protocol: Any) -> None:
        self._send = send
        self.protocol = protocol
        self._resumed: asyncio.Event | None = None
        protocol.transport.unregisterProducer()
        protocol.transport.registerProducer(self, True)

    def __call__(self, message: Mapping[str, Any]) -> Coroutine[Any, Any, None]:
        if message["type"] == "websocket.close":
            return self._close(message)
        if self._resumed is None:
            return self._send(message)
        return self._send_when_resumed(message, self._resumed)

    async def _send_when_resumed(self, message: Mapping[str, Any], resumed: asyncio.Event) -> None:
        await resumed.wait()
        await self._send(message)

    async def _close(self, message: Mapping[str, Any]) -> None:
        """Close without waiting: Daphne aborts a second later where the client does not answer.

        Autobahn's sendClose, which Daphne calls, refuses the codes that servers may use (1009, 1012, 1013), and Daphne
        does not hand it the reason; sendCloseFrame, which Daphne calls for its own 1011, takes both.
        """
        if self.protocol.state == self.protocol.STATE_OPEN:
            reason = message.get("reason") or ""
            self.protocol.sendCloseFrame(code=message.get("code", 1000), reasonUtf8=reason.encode()[:123])
        else:
            await self._send(message)

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's names
        """Twisted: the buffer is full."""
        self._resumed = self._resumed or asyncio.Event()

    def resumeProducing(self) -> None:  # noqa: N802
        """Twisted: the buffer is empty."""
        if self._resumed is not None:
            self._resumed.set()
            self._resumed = None

    stopProducing = resumeProducing  # Twisted: the connection is lost; what is sent now goes nowhere  # noqa: N815


def protocol_of(send: Any) -> Any:
    """The server's protocol object that `send` belongs to, None where it is not known."""
    if isinstance(send, PacedSend):
        return send.protocol
    if isinstance(send, functools.partial) and send.args:
        return send.args[0]  # Daphne: partial(server.handle_reply, protocol)
    return getattr(send, "__self__", None)  # uvicorn: a bound method of the protocol


def pace(send: Send) -> Send:
    """`send`, made to wait while the client does not read, whichever server it comes from."""
    protocol = protocol_of(send)
    return PacedSend(send, protocol) if isinstance(protocol, WebSocketProtocol) else send


def drop(send: Any) -> bool:
    """Abort the connection that `send` belongs to, without a goodbye; False where that cannot be done from here."""
    transport = getattr(protocol_of(send), "transport", None)
    for name in ("abort", "abortConnection"):  # asyncio's name, Twisted's name
        if hasattr(transport, name):
            getattr(transport, name)()
            return True
    return False
