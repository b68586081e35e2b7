"""The ASGI application behind `/stream/live`.

Written against ASGI itself: Channels' consumers make a task for each message they wait for and a thread hop for each
one they handle, to serve handlers that this stream does not have.
"""

import logging
import math
from typing import Any
from urllib.parse import parse_qs

from streaming.runtime import runtime
from streaming.socket_access import pace

logger = logging.getLogger(__name__)

#: Bytes (or characters) of the largest message that a client may send; nothing it sends means anything.
LARGEST_MESSAGE = 4096
#: Close code for a `since` that is no time.
BAD_REQUEST = 4400


class BadSinceError(ValueError):
    """`since` is not a time; the message says what it must be. Short: a close reason has at most 123 bytes."""


def parse_since(query: bytes) -> float | None:
    """Return the resume cursor in a query string, Unix seconds, None where there is none. Raises BadSinceError.

    A time in the future is one that nothing came after yet: the connection is live from the next snapshot on.
    """
    values = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("since")
    if values is None:
        return None
    try:
        since = float(values[-1])
    except ValueError:
        since = math.nan
    if not (math.isfinite(since) and since >= 0):
        raise BadSinceError("since must be the timestamp of a snapshot: Unix seconds, for example since=1735174460.123")
    return since


async def live(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Accept the connection, let the hub serve it, and wait for its end."""
    runtime.start()
    hub = runtime.hub
    await receive()  # websocket.connect
    await hub.is_ready.wait()
    send = pace(send)
    await send({"type": "websocket.accept"})
    try:
        since = parse_since(scope["query_string"])
    except BadSinceError as error:
        await send({"type": "websocket.close", "code": BAD_REQUEST, "reason": str(error)})
        return
    client = hub.join(send, since=since)
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
