"""The ASGI application behind `/stream/live`.

Written against ASGI itself: Channels' consumers make a task for each message they wait for and a thread hop for each
one they handle, to serve handlers that this stream does not have.
"""

import logging
import math
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

from metrics.catalogue import InvalidValueError
from metrics.parsing import parse_number
from streaming.runtime import runtime

logger = logging.getLogger(__name__)

#: Bytes of the largest message that a client may send; nothing it sends means anything.
LARGEST_MESSAGE = 4096
#: Close codes: RFC 6455 section 7.4.1, the IANA registry of WebSocket close codes, and 4400 for HTTP's 400.
TOO_BIG = 1009
COME_BACK = 1012
BAD_REQUEST = 4400


def parse_since(query: bytes) -> tuple[float | None, str]:
    """Return the resume cursor of a query string, Unix seconds (None: there is none), and what is wrong with it.

    A time in the future is one that nothing came after yet: the connection is live from the next snapshot on. So is
    the cursor of one that is wrong, until it is closed.
    """
    values = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("since")
    if values is None:
        return None, ""
    with suppress(InvalidValueError, OverflowError):
        since = float(parse_number(values[-1]))
        if math.isfinite(since) and since >= 0:
            return since, ""
    return math.inf, "since must be the timestamp of a snapshot, in Unix seconds: since=1735174460.123"


def size_of(event: dict[str, Any]) -> int:
    """Bytes of a message that a client sent."""
    return len(event.get("bytes") or (event.get("text") or "").encode())


async def live(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Accept the connection, let the hub serve it, and wait for its end."""
    runtime.start()
    hub = runtime.hub
    since, complaint = parse_since(scope["query_string"])
    del scope  # not needed again; Daphne's lives only as long as we hold it
    await receive()  # websocket.connect
    await hub.is_ready.wait()
    await send({"type": "websocket.accept"})
    client = hub.join(send, since=since)
    logger.info("Client connected (%d now).", len(hub.clients))
    try:
        if complaint:
            await client.close(BAD_REQUEST, complaint)
        elif hub.is_draining:
            await client.close(COME_BACK)
        while (event := await receive())["type"] != "websocket.disconnect":
            # Whatever a client sends is ignored, up to a small size.
            if size_of(event) > LARGEST_MESSAGE and not client.is_gone:
                await client.close(TOO_BIG, f"messages are ignored here, and limited to {LARGEST_MESSAGE} bytes")
    finally:
        hub.leave(client)
        logger.info("Client disconnected (%d now).", len(hub.clients))
