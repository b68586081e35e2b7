"""Daphne's HTTP, whose connections take places, have deadlines, and carry no more than they may (streaming.limits)."""

import asyncio
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.web.http import HTTPChannel

from streaming.limits.bodies import LARGEST_BODY, TOO_LARGE
from streaming.limits.frames import FAREWELL_S
from streaming.limits.visits import Visit, Visits

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

    def __init__(self, server: Any, visits: Visits) -> None:
        super().__init__(server)
        self.visits = visits

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        """As Daphne does, with our kind of request."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = LimitedRequest
        return protocol
