"""The Channels consumer behind `/stream/live`: lets a connection in and hands it to the hub, which does the sending."""

import logging
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qs

from access.credentials import find_subprotocol, read_credential, read_link
from access.gate import Gate
from access.viewer import Admission, RefusedError, Scope
from metrics.catalogue import InvalidValueError
from metrics.parsing import parse_number
from streaming.delivery.client import Client
from streaming.delivery.close_codes import BAD_REQUEST, COME_BACK, REFUSALS
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


def choose_subprotocol(offered: list[str]) -> str | None:
    """What to answer to the subprotocols that a client offers: browsers give up where none is chosen.

    Those that offer a token may offer another one beside it, so that the token does not come back in an answer.
    """
    if not offered:
        return None
    tokens = [name for name in offered if find_subprotocol(name)]
    return next((name for name in offered if tokens and name not in tokens), tokens[0] if tokens else None)


class LiveConsumer(LeanWebsocketConsumer):
    """A viewer's or a program's connection to the stream. Whatever it sends is ignored."""

    def __init__(self, hub: Hub, begin: Callable[[], None], gate: Gate | None = None) -> None:
        """`hub`: who sends to it. `begin`: called at each connection, so that the hub runs at the first at latest.

        `gate`: who lets somebody in; None: anybody is.
        """
        super().__init__()
        self._hub = hub
        self._begin = begin
        self._gate = gate
        self._client: Client | None = None

    async def connect(self) -> None:
        """Accept, and join the hub where the client's `since` says.

        Whoever may not is accepted, too, and closed at once: only so do browsers tell their page why.
        """
        self._begin()
        since, complaint = parse_since(self.scope["query_string"])
        admission = refusal = None
        if self._gate is not None:
            admission, refusal = await self._ask(self._gate)
        await self._hub.is_ready.wait()
        await self.accept(choose_subprotocol(self.scope["subprotocols"]))
        if self._gate is not None and admission is not None:
            try:
                self._gate.enter(admission)
            except RefusedError as error:
                refusal = error
        if refusal is not None:
            await self._hub.refuse(self.base_send, REFUSALS[refusal.status], str(refusal))
            return
        self._client = client = self._hub.join(self.base_send, since=since, admission=admission)
        logger.info("Client connected (%d now).", len(self._hub.clients))
        if complaint:
            await client.close(BAD_REQUEST, complaint)
        elif self._hub.is_draining:
            await client.close(COME_BACK)

    async def _ask(self, gate: Gate) -> tuple[Admission | None, RefusedError | None]:
        """Whether this client may come in."""
        try:
            link = self.scope.get("url_route", {}).get("kwargs", {}).get("link")
            headers, query = self.scope["headers"], self.scope["query_string"]
            admission = await gate.admit(read_credential(headers, query) if link is None else read_link(link, query))
            if Scope.STREAM not in admission.viewer.scopes:
                raise RefusedError(403, f"{admission.viewer.name:.80} may not read the stream")
        except RefusedError as refusal:
            return None, refusal
        return admission, None

    def release(self) -> None:
        """Leave the hub."""
        if self._client is not None:
            self._hub.leave(self._client)
            if self._gate is not None and self._client.admission is not None:
                self._gate.leave(self._client.admission)
            logger.info("Client disconnected (%d now).", len(self._hub.clients))
