"""uvicorn's HTTP protocol, whose connections take places and have deadlines (streaming.limits)."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from streaming.limits.visits import Visit, Visits
from streaming.servers.handshake import PlainRequest
from streaming.servers.uvicorn_sender import WatchedProtocol


class VisitedProtocol(HttpToolsProtocol):
    """A connection's first protocol; one that becomes a WebSocket hands its visit on."""

    _visit: Visit | None = None

    def __init__(self, visits: Visits, is_known: bool, **options: Any) -> None:
        """`is_known`: whether this uvicorn is as its Door expects."""
        super().__init__(**options)
        self._visits = visits
        self._is_known = is_known

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, or be gone."""
        super().connection_made(transport)
        self._visit = self._visits.begin(self.client or ("?", 0), transport.abort)
        if self._visit is None:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        super().connection_lost(exc)
        if self._visit is not None:
            self._visit.end()

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        if self._visit is not None:
            self._visit.expect_head()

    def on_headers_complete(self) -> None:
        """A request's head; that of a WebSocket is all of it."""
        if self._visit is not None and not self.parser.should_upgrade():
            self._visit.expect_body()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A whole request."""
        if self._visit is not None:
            self._visit.meet()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """The connection is a WebSocket from here on."""
        if self._visit is not None:
            self._visit.meet()
        plain = self._find_plain() if self._is_known else None
        if plain is None:
            super().handle_websocket_upgrade()
        else:
            self.connections.discard(self)
            websocket = WatchedProtocol(config=self.config, server_state=self.server_state, app_state=self.app_state)
            websocket.begin(self.transport, plain)
            self.transport.set_protocol(websocket)
        protocol = self.transport.get_protocol()
        if isinstance(protocol, WatchedProtocol):
            protocol.visit, self._visit = self._visit, None

    def _find_plain(self) -> PlainRequest | None:
        scope = self.scope
        return PlainRequest.find(scope["method"].encode(), self.url, scope["http_version"].encode(), self.headers)
