"""The WebSocket addresses."""

from typing import Any

from channels.routing import URLRouter
from django.conf import settings
from django.urls import re_path

from streaming.consumer import live
from streaming.origin import OriginGuard


async def refuse(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer a WebSocket at any other address with HTTP 403 instead of a traceback."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


websockets = URLRouter(
    [
        re_path(r"^stream/live/?$", OriginGuard(live, settings.STREAM_ALLOWED_ORIGINS)),
        re_path(r"", refuse),  # type: ignore[arg-type]
    ]
)
