"""The answer to WebSockets that are not opened: 403, with the headers of every other answer where that is possible."""

import asyncio
from typing import Any

from django.conf import settings

#: Seconds within which a server says that a refused connection is gone.
FAREWELL_S = 5.0


async def refuse(scope: dict[str, Any], receive: Any, send: Any) -> Any:
    """An ASGI application that refuses. Daphne lets nobody say more than that; uvicorn takes a whole response."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    headers = [(name.lower().encode(), value.encode()) for name, value in settings.SECURITY_HEADERS.items()]
    headers += [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"Not here, or not you: the server's log says why.\n"})
    # uvicorn takes a response for a handshake that is not complete until its connection is gone, and complains.
    async with asyncio.timeout(FAREWELL_S):
        for _ in range(2):
            await receive()
