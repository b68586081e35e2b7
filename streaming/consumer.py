"""The ASGI application behind `/stream/live`.

Written against ASGI itself: Channels' consumers make a task for each message they wait for and a thread hop for each
one they handle, to serve handlers that this stream does not have.
"""

import asyncio
import logging
from typing import Any

from streaming.runtime import runtime

logger = logging.getLogger(__name__)

#: Bytes (or characters) of the largest message that a client may send; nothing it sends means anything.
LARGEST_MESSAGE = 4096


async def live(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Accept the connection, let the hub serve it, and wait for its end."""
    runtime.start()
    hub = runtime.hub
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    client = hub.join(send, task=asyncio.current_task())
    logger.info("Client connected (%d now).", len(hub.clients))
    try:
        if runtime.is_draining:
            await client.close(1012)
        await wait_for_end(receive, send)
    finally:
        hub.leave(client)
        logger.info("Client disconnected (%d now).", len(hub.clients))


async def wait_for_end(receive: Any, send: Any) -> None:
    """Ignore what the client sends until it disconnects; a message over LARGEST_MESSAGE closes it with 1009."""
    is_closed = False
    while (event := await receive())["type"] != "websocket.disconnect":
        size = len(event.get("text") or event.get("bytes") or "")
        if size > LARGEST_MESSAGE and not is_closed:
            is_closed = True
            await send({"type": "websocket.close", "code": 1009})
