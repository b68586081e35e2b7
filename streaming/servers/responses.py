"""A response as the server sees it: how to send its parts, and how to end its connection."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

AsgiMessage = Mapping[str, Any]
AsgiSend = Callable[[AsgiMessage], Awaitable[None]]


class ServerResponse:
    """One response under any ASGI server whose `send` waits while the client does not read, as uvicorn's does."""

    def __init__(self, send: AsgiSend) -> None:
        self._send = send

    @property
    def _transport(self) -> Any:
        """The connection's asyncio transport, where the server lets us reach it (uvicorn)."""
        return getattr(getattr(self._send, "__self__", None), "transport", None)

    async def send(self, message: AsgiMessage) -> None:
        """Send, when the client has taken most of what was sent before; where the connection is closed, nothing is.

        uvicorn closes it when a request is none, and forgets to say so to those that came before it in the same
        segment: each would be answered, and uvloop raise for it.
        """
        owner: Any = getattr(self._send, "__self__", None)
        if hasattr(owner, "disconnected") and self._transport.is_closing():
            owner.disconnected = True
        await self._send(message)

    def finish(self) -> None:
        """The response has ended, one way or the other."""

    def abort(self) -> None:
        """End the connection now, whatever waits to be sent, where the server lets us reach it."""
        if hasattr(self._transport, "abort"):
            self._transport.abort()

    def abort_unless_read(self, within_s: float) -> None:
        """Abort in `within_s` seconds if the client has taken nothing until then of what is still to be sent."""
        if hasattr(self._transport, "get_write_buffer_size") and (unread := self._transport.get_write_buffer_size()):
            asyncio.get_running_loop().call_later(within_s, self._abort_if, unread)

    def _abort_if(self, unread: int) -> None:
        if self._transport.get_write_buffer_size() == unread:
            self.abort()
