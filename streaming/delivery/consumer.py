"""The Channels consumer behind `/stream/live`: lets a connection in and hands it to the hub, which does the sending."""

import logging
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qs

from metrics.catalogue import InvalidValueError
from metrics.parsing import parse_number
from streaming.delivery.client import Client
from streaming.delivery.close_codes import BAD_REQUEST, COME_BACK
from streaming.delivery.hub import Hub
from streaming.delivery.lean import LeanWebsocketConsumer

logger = logging.getLogger(__name__)


#: Below this a cursor is Unix seconds, as clients of 1.0 send it (as milliseconds it would be a time in 1973).
OLDEST_ID = 100_000_000_000
#: Above this it is neither (the year 5138 in milliseconds).
NEWEST_ID = OLDEST_ID * 1000


def parse_since(query: bytes) -> tuple[int | None, str]:
    """Return the resume cursor of a query string, an id (None: there is none), and what is wrong with it.

    The timestamp of a snapshot, in Unix seconds, is taken for its id in milliseconds, which it is as long as clocks
    behave: clients of 1.0 send it. For one that is wrong the cursor is one that nothing comes after.
    """
    values = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("since")
    if values is None:
        return None, ""
    with suppress(InvalidValueError, OverflowError):
        number = parse_number(values[-1])
        since = round(number * 1000) if number < OLDEST_ID else round(number)
        if 0 <= since <= NEWEST_ID:
            return since, ""
    return NEWEST_ID, "since must be the id of a snapshot: since=1735174460123"


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
