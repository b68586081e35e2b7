"""Which WebSocket goes where.

A plain function that returns the coroutine of whoever serves the connection, not one more that awaits it: whatever
awaits stays in memory, with its frame and the scope it was given, for as long as a connection lives, which is days.
(For the same reason this is not Channels' URLRouter, which copies the scope besides.)
"""

from collections.abc import Coroutine
from typing import Any

from django.conf import settings

from streaming.delivery.consumer import live
from streaming.delivery.origin import OriginGuard

PATHS = {"/stream/live", "/stream/live/"}

guard = OriginGuard(settings.STREAM_ALLOWED_ORIGINS)


def websockets(scope: dict[str, Any], receive: Any, send: Any) -> Coroutine[Any, Any, None]:
    """The stream for those who may have it; HTTP 403 for pages of other sites and at any other address."""
    if scope["path"].removeprefix(scope.get("root_path", "")) in PATHS and guard.lets_in(scope):
        return live(scope, receive, send)
    return refuse(receive, send)


async def refuse(receive: Any, send: Any) -> None:
    """Close before the handshake, which servers answer with HTTP 403."""
    await receive()  # websocket.connect
    await send({"type": "websocket.close"})
