"""The Channels consumer behind `/stream/live`: lets a connection in and hands it to the hub, which does the sending."""

import logging
import math
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qs

from metrics.catalogue import InvalidValueError
from metrics.parsing import parse_number
from streaming.delivery.client import Client
from streaming.delivery.hub import Hub
from streaming.delivery.lean import LeanWebsocketConsumer

logger = logging.getLogger(__name__)

#: Close codes: the IANA registry of WebSocket close codes, and 4400 for HTTP's 400.
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


class LiveConsumer(LeanWebsocketConsumer):
    """A viewer's or a program's connection to the stream. Whatever it sends is ignored."""

    def __init__(self, hub: Hub, begin: Callable[[], None]) -> None:
        """`hub`: who sends to it. `begin`: called at each connection, so that the hub runs at the first at latest."""
        super().__init__()
        self._hub = hub
        self._begin = begin
        self._client: Client | None = None

    async def connect(self) -> None:
        """Accept, and join the hub where the client's `since` says."""
        self._begin()
        since, complaint = parse_since(self.scope["query_string"])
        await self._hub.is_ready.wait()
        await self.accept()
        self._client = client = self._hub.join(self.base_send, since=since)
        logger.info("Client connected (%d now).", len(self._hub.clients))
        if complaint:
            await client.close(BAD_REQUEST, complaint)
        elif self._hub.is_draining:
            await client.close(COME_BACK)

    def release(self) -> None:
        """Leave the hub."""
        if self._client is not None:
            self._hub.leave(self._client)
            logger.info("Client disconnected (%d now).", len(self._hub.clients))
