"""What a connection is under uvicorn before it is a WebSocket: it has a place, and deadlines (streaming.limits)."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import get_remote_addr
from uvicorn.server import ServerState

from streaming.limits.visits import Visit, Visits
from streaming.servers.handshake import PlainRequest
from streaming.servers.uvicorn_sender import WatchedProtocol


class FirstProtocol(asyncio.Protocol):
    """A connection that has said nothing yet. A plain handshake makes it a WebSocket; anything else is for HTTP."""

    _transport: asyncio.Transport
    _visit: Visit | None = None

    def __init__(self, visits: Visits, is_known: bool, *, server_state: ServerState, **options: Any) -> None:
        """`is_known`: whether this uvicorn is as its Door expects."""
        self._visits = visits
        self._is_known = is_known
        self._connections: set[Any] = server_state.connections
        self._options = {**options, "server_state": server_state}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, or be gone."""
        self._transport = transport
        self._connections.add(self)
        self._visit = self._visits.begin(get_remote_addr(transport) or ("?", 0), transport.abort)
        if self._visit is None:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        if self._visit is not None:
            self._visit.end()
        self._connections.discard(self)

    def shutdown(self) -> None:
        """uvicorn ends."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Become what the first bytes say."""
        self._connections.discard(self)
        request = PlainRequest.find(data) if self._is_known else None
        if request is None:
            http = VisitedProtocol(**self._options)
            http.visit, self._visit = self._visit, None
            self._transport.set_protocol(http)
            http.connection_made(self._transport)
            http.data_received(data)
        else:
            websocket = WatchedProtocol(**self._options)
            websocket.visit, self._visit = self._visit, None
            self._transport.set_protocol(websocket)
            websocket.begin(self._transport, request)


class VisitedProtocol(HttpToolsProtocol):
    """A connection that talks HTTP; one that becomes a WebSocket all the same hands its visit on."""

    visit: Visit | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        if self.visit is not None:
            self.visit.end()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        if self.visit is not None:
            self.visit.expect_head()

    def on_headers_complete(self) -> None:
        """A request's head; that of a WebSocket is all of it."""
        if self.visit is not None and not self.parser.should_upgrade():
            self.visit.expect_body()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A whole request."""
        if self.visit is not None:
            self.visit.meet()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """The connection is a WebSocket from here on."""
        if self.visit is not None:
            self.visit.meet()
        super().handle_websocket_upgrade()
        protocol = self.transport.get_protocol()
        if isinstance(protocol, WatchedProtocol):
            protocol.visit, self.visit = self.visit, None
