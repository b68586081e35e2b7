"""Channels' WebSocket consumer without what it does for each message at a cost.

The stock class waits for the channel layer too, with a task for each wait on either; it closes old database
connections in a thread before each handler; and it keeps the scope for as long as a connection lives, which is days. A
consumer that gets nothing through the layer and asks no database needs none of it. Everything else is Channels'.
"""

import functools
from collections.abc import Coroutine
from typing import Any

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

HANDLERS = {
    "websocket.connect": "websocket_connect",
    "websocket.receive": "websocket_receive",
    "websocket.disconnect": "websocket_disconnect",
}


class LeanWebsocketConsumer(AsyncWebsocketConsumer):
    """An AsyncWebsocketConsumer that only talks to its client: `channel_layer` and `channel_name` are not there.

    `scope` holds what the connection began with until `connect` returns; later it is empty.
    """

    groups = ()

    @classmethod
    def as_asgi(cls, **initkwargs: Any) -> Any:
        """As in Channels, except that nothing awaits the consumer here: what awaits stays in memory with it."""

        def serve(scope: dict[str, Any], receive: Any, send: Any) -> Coroutine[Any, Any, None]:
            return cls(**initkwargs)(scope, receive, send)

        return functools.update_wrapper(serve, super().as_asgi(**initkwargs))

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Hand each event to its handler until the client is gone; then, however it ended, call `release`."""
        self.scope, self.base_send = scope, send
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        finally:
            self.release()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the event's handler."""
        await getattr(self, HANDLERS[message["type"]])(message)

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        """As in Channels; then let the scope go, which its router made for this connection alone."""
        await super().websocket_connect(message)
        self.scope.clear()

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """As in Channels, without groups to leave and database connections to close."""
        await self.disconnect(message.get("code", 1005))
        raise StopConsumer

    def release(self) -> None:
        """Let go of what the connection holds; called at its end even where no disconnect came."""
