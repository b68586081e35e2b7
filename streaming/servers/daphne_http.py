"""Daphne's HTTP, whose connections take places, have deadlines, and carry no more than they may (streaming.limits)."""

import asyncio
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.protocols.policies import ProtocolWrapper
from twisted.web.http import HTTPChannel

from streaming.limits.bodies import LARGEST_BODY, TOO_LARGE
from streaming.limits.frames import FAREWELL_S
from streaming.limits.visits import Visit, Visits
from streaming.servers.handshake import PlainRequest

REFUSAL = (
    b"HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain\r\nX-Content-Type-Options: nosniff\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(TOO_LARGE), TOO_LARGE.encode())
)


class LimitedRequest(WebRequest):  # type: ignore[misc]  # it has no types
    """A request that is refused while its body comes, not when all of it is on the disk."""

    _come = 0
    _is_refused = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's names
        """Twisted: the head is here; `length` is what it says of the body."""
        self.channel.expect_body()
        if length is not None and length > LARGEST_BODY:
            self._refuse()
            length = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        """Twisted: a part of the body."""
        self._come += len(data)
        if self._come > LARGEST_BODY:
            self._refuse()
        if not self._is_refused:
            super().handleContentChunk(data)

    def process(self) -> Any:
        """Twisted: the whole request is here."""
        self.channel.meet()
        if self._is_refused:
            return None
        plain = self._find_plain()
        if plain is None:
            return super().process()
        self._become_websocket(plain)
        return None

    def _find_plain(self) -> PlainRequest | None:
        if not self.channel.factory.is_known or isinstance(self.channel.transport, ProtocolWrapper):
            return None
        lines = self.requestHeaders.getAllRawHeaders()
        headers = [(name.lower(), value) for name, values in lines for value in values]
        return PlainRequest.find(self.method, self.uri, self.clientproto.removeprefix(b"HTTP/"), headers)

    def _become_websocket(self, request: PlainRequest) -> None:
        """As Daphne does, without writing the request down once more."""
        transport: Any = self.channel.transport
        protocol = self.server.ws_factory.buildProtocol(self.client)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        protocol.begin(request)
        self.server.protocol_disconnected(self)
        transport.resumeProducing()

    def _refuse(self) -> None:
        """Say why, read nothing more, and end the connection when that could be read."""
        if not self._is_refused:
            self._is_refused = True
            transport = self.channel.transport
            transport.write(REFUSAL)
            transport.pauseProducing()
            asyncio.get_running_loop().call_later(FAREWELL_S, transport.abortConnection)


class VisitedChannel(HTTPChannel):  # type: ignore[misc]  # it has no types
    """A connection's first protocol; one that becomes a WebSocket takes its visit over."""

    visit: Visit | None = None

    def connectionMade(self) -> None:  # noqa: N802
        """Take a place, or be gone."""
        super().connectionMade()
        peer = self.transport.getPeer()
        address = (getattr(peer, "host", "?"), getattr(peer, "port", 0))
        self.visit = self.factory.visits.begin(address, self.transport.abortConnection)
        if self.visit is None:
            self.transport.abortConnection()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        """Give the place back."""
        super().connectionLost(reason)
        if self.visit is not None:
            self.visit.end()

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        """A line of a request's head."""
        if self.visit is not None:
            self.visit.expect_head()
        super().lineReceived(line)

    def expect_body(self) -> None:
        """A request's head is here."""
        if self.visit is not None:
            self.visit.expect_body()

    def meet(self) -> None:
        """A whole request is here."""
        if self.visit is not None:
            self.visit.meet()


class VisitedFactory(HTTPFactory):  # type: ignore[misc]  # it has no types
    """Makes a connection's protocol."""

    protocol = VisitedChannel

    def __init__(self, server: Any, visits: Visits, *, is_known: bool) -> None:
        """`is_known`: whether this Daphne is as its Door expects."""
        super().__init__(server)
        self.visits = visits
        self.is_known = is_known

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        """As Daphne does, with our kind of request."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = LimitedRequest
        return protocol
