"""Daphne's HTTP, whose connections take places, have deadlines, and carry no more than they may (streaming.limits)."""

import asyncio
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.internet.protocol import Protocol
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
        return None if self._is_refused else super().process()

    def _refuse(self) -> None:
        """Say why, read nothing more, and end the connection when that could be read."""
        if not self._is_refused:
            self._is_refused = True
            transport = self.channel.transport
            transport.write(REFUSAL)
            transport.pauseProducing()
            asyncio.get_running_loop().call_later(FAREWELL_S, transport.abortConnection)


class VisitedChannel(HTTPChannel):  # type: ignore[misc]  # it has no types
    """A connection that talks HTTP; one that becomes a WebSocket all the same has its visit taken over."""

    visit: Visit | None = None

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        """Give the place back."""
        if self.visit is not None:
            self.visit.end()
        super().connectionLost(reason)

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


class FirstProtocol(Protocol):  # type: ignore[misc]  # it has no types
    """A connection that has said nothing yet. A plain handshake makes it a WebSocket; anything else is for HTTP."""

    _visit: Visit | None = None

    def __init__(self, factory: "VisitedFactory", peer: Any) -> None:
        self.factory = factory
        self._peer = peer

    def connectionMade(self) -> None:  # noqa: N802
        """Take a place, or be gone."""
        address = (getattr(self._peer, "host", "?"), getattr(self._peer, "port", 0))
        self._visit = self.factory.visits.begin(address, self.transport.abortConnection)
        if self._visit is None:
            self.transport.abortConnection()

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        """Give the place back."""
        if self._visit is not None:
            self._visit.end()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Become what the first bytes say."""
        transport: Any = self.transport
        request = PlainRequest.find(data) if self.factory.is_known else None
        protocol = self.factory.make_protocol(self._peer, is_websocket=request is not None)
        protocol.visit, self._visit = self._visit, None
        transport.protocol = protocol
        protocol.makeConnection(transport)
        if request is None:
            protocol.dataReceived(data)
        else:
            protocol.begin(request)


class VisitedFactory(HTTPFactory):  # type: ignore[misc]  # it has no types
    """Makes a connection's protocols."""

    protocol = VisitedChannel

    def __init__(self, server: Any, visits: Visits, *, is_known: bool) -> None:
        """`is_known`: whether this Daphne is as its Door expects."""
        super().__init__(server)
        self.visits = visits
        self.is_known = is_known

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        """Twisted: a connection of `addr` was accepted."""
        return FirstProtocol(self, addr)

    def make_protocol(self, peer: Any, *, is_websocket: bool) -> Any:
        """As Daphne does, with our kind of request."""
        if is_websocket:
            return self.server.ws_factory.buildProtocol(peer)
        protocol = super().buildProtocol(peer)
        protocol.requestFactory = LimitedRequest
        return protocol
