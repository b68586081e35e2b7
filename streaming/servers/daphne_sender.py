"""Sends under Daphne: straight to the socket, and knows when a client does not read.

Daphne's `send` costs three times as much, never waits (its buffer for a client that does not read grows until a ping
goes unanswered), and cannot close with 1012 or 1013: see docs/benchmarks.md.
"""

import asyncio
import functools
import logging
import time
from contextlib import suppress
from typing import Any, ClassVar

import autobahn.twisted.websocket
import autobahn.websocket.protocol
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import maybeDeferred
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from websockets.frames import CloseCode

from streaming.delivery.sending import AsgiSend, Sender, SteppingSender
from streaming.limits.frames import FAREWELL_S, REASON, FrameBudget
from streaming.limits.visits import Visit
from streaming.servers.daphne_http import VisitedChannel
from streaming.servers.handshake import PlainRequest
from streaming.servers.internals import Door, needs
from streaming.servers.socket_sender import SocketSender

logger = logging.getLogger(__name__)


class WatchedProtocol(WebSocketProtocol):  # type: ignore[misc]  # it has no types
    """Daphne's protocol, which tells the connection's sender when it writes something itself, and measures what comes.

    What it writes, a ping or a goodbye, Twisted keeps until the loop turns, and longer where the socket is full.
    """

    sender: "DaphneSender | None" = None
    visit: Visit | None = None
    last_ping: float  # Unix seconds; Daphne's
    _budget: FrameBudget | None = None
    __hash__ = object.__hash__  # Daphne's mean the same, and are written in Python
    __eq__ = object.__eq__

    def check_timeouts(self) -> None:
        """As Daphne does; of nearly all it only asks whether a ping is due."""
        if self.state == self.STATE_OPEN:
            now = time.time()
            if now - self.last_ping <= self.server.ping_interval:
                return
            if self.sender is not None and self.sender.spares_ping():
                self.last_ping = now
                return
        super().check_timeouts()

    @classmethod
    def settle_options(cls, factory: Any) -> None:
        """Take the factory's options once for all connections, and leave words that nobody reads unpainted.

        Autobahn has each connection copy them, and prints all of them into a line that only debugging shows: a fifth of
        what a connect costs, and 1 KB. What the class has it does not copy. And it colours the words of such lines
        whether they are shown or not: a fifteenth.
        """
        for module in (autobahn.websocket.protocol, autobahn.twisted.websocket):
            vars(module).update(hltype=leave_as_it_is, hlval=leave_as_it_is, pformat=leave_as_it_is)
        for name in WebSocketServerProtocol.CONFIG_ATTRS:
            option = getattr(factory, name)
            setattr(cls, name, staticmethod(option) if callable(option) else option)
        cls.CONFIG_ATTRS = []

    def makeConnection(self, transport: Any) -> None:  # noqa: N802 - Twisted's names
        """Take the visit over from the HTTP channel that the connection began with."""
        channel = transport.producer
        if isinstance(channel, VisitedChannel):
            self.visit, channel.visit = channel.visit, None
        super().makeConnection(transport)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        """Give the place back."""
        if self.visit is not None:
            self.visit.end()
            self.visit = None
        super().connectionLost(reason)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:  # noqa: N802, N803
        """As Daphne does, which takes it that the handshake has got as far as `onConnect`."""
        if hasattr(self, "server"):
            super().onClose(wasClean, code, reason)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Look at as much as the client may send, without Autobahn's lines for debugging, which cost more than that."""
        if self._budget is None:  # the handshake itself
            self._budget = FrameBudget()
            self._dataReceived(data)
            return
        allowed = self._budget.spend(len(data))
        self._dataReceived(data[:allowed])
        if allowed < len(data):
            self._cut_off()

    def begin(self, request: PlainRequest) -> None:
        """Begin with a request that was parsed and found well, as `processHandshake` does with one that was not."""
        if self.visit is not None:
            self.visit.meet()
        self._budget = FrameBudget()
        self._wskey = request.key
        self.websocket_protocols = request.subprotocols
        self.websocket_version = 13
        self.websocket_extensions: list[Any] = []
        self._raw_query_string = request.query
        headers = {name.decode(): value.decode() for name, value in request.headers}
        asked = ConnectionRequest(
            self.peer, headers, headers["host"], request.path.decode(), {}, 13, "", request.subprotocols, []
        )
        maybeDeferred(self.onConnect, asked).addCallbacks(self.succeedHandshake, self._refuse)

    def _refuse(self, failure: Failure) -> None:
        denial = failure.value
        if not isinstance(denial, ConnectionDeny):
            logger.error("A handshake failed.", exc_info=denial)
            denial = ConnectionDeny(ConnectionDeny.INTERNAL_SERVER_ERROR, "Internal server error")
        self.failHandshake(denial.reason, denial.code)

    def forget_handshake(self) -> None:
        """Let go of what nobody reads any more: the request, in four shapes."""
        with suppress(AttributeError):  # a version that keeps them elsewhere
            self.clean_headers.clear()  # which is the scope's list
            self.request.headers.clear()  # which are `http_headers`
        self.http_request_data = self.http_status_line = self.application_deferred = None

    def _cut_off(self) -> None:
        """Read nothing more of a client that sends too much, say why (1008), and end the connection."""
        self.transport.pauseProducing()
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=CloseCode.POLICY_VIOLATION, reasonUtf8=REASON.encode())
            asyncio.get_running_loop().call_later(FAREWELL_S, self.transport.abortConnection)
        elif self.state == self.STATE_CONNECTING:
            self.transport.abortConnection()

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:  # noqa: N802
        """Autobahn: all that the protocol sends goes through here."""
        if self.sender is not None:
            self.sender.step_back()
        super().sendData(data, sync, chopsize)


def leave_as_it_is(value: object, **_: Any) -> object:
    """In place of Autobahn's `hltype`, `hlval` and `pformat`, for its log."""
    return value


class DaphneSender(SocketSender):
    """A Sender that also is the push producer of the connection's transport.

    Twisted pauses a producer when more than 64 KiB wait in the transport's buffer, resumes it when they are gone, and
    stops it before it closes the socket (twisted.internet.interfaces.IPushProducer, tcp.Connection.connectionLost).
    The place is taken by the HTTP channel that the connection began with; ours replaces it, which also lets that
    channel's memory go.
    """

    __slots__ = ("_protocol",)
    name: ClassVar[str] = "daphne-socket"

    def __init__(self, protocol: WatchedProtocol) -> None:
        transport = protocol.transport
        super().__init__(transport, transport.fileno())
        self._protocol = protocol
        protocol.sender = self
        protocol.forget_handshake()
        transport.unregisterProducer()
        transport.registerProducer(self, True)

    @property
    def is_open(self) -> bool:
        """See SocketSender."""
        return bool(self._protocol.state == self._protocol.STATE_OPEN)

    @property
    def kept(self) -> int:
        """See SocketSender."""
        kept: int = len(self._transport.dataBuffer) + self._transport._tempDataLen
        return kept

    def close(self, code: int, reason: str) -> None:
        """Send the close frame; Daphne aborts the connection a second later where the client does not answer.

        Autobahn's sendClose, which Daphne calls, refuses the codes that servers may use (1009, 1012, 1013), and Daphne
        does not hand it the reason; sendCloseFrame, which Daphne calls for its own 1011, takes both.
        """
        if self.is_open:
            self._protocol.sendCloseFrame(code=code, reasonUtf8=reason.encode()[:123])

    def drop(self) -> None:
        """Abort the connection, without a goodbye."""
        self._transport.abortConnection()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's names
        """Twisted: the socket is about to be closed."""
        self.lose()
        self._protocol.sender = None  # which knows the protocol

    pauseProducing = SocketSender.pause  # noqa: N815
    resumeProducing = SocketSender.resume  # noqa: N815


class DaphneDoor(Door):
    """What is relied on in Daphne, Autobahn and Twisted."""

    server = "daphne"
    expected = (
        needs(WebSocketProtocol, "STATE_OPEN", "sendCloseFrame", "sendData", "_dataReceived", "CONFIG_ATTRS"),
        needs(WebSocketServerProtocol, "succeedHandshake", "failHandshake", "onConnect"),
        needs(
            autobahn.websocket.protocol.WebSocketServerProtocol,
            "_wskey",
            "websocket_version",
            "websocket_protocols",
            "websocket_extensions",
        ),
        needs(WebSocketProtocol, "_raw_query_string"),
        needs(FileDescriptor, "dataBuffer", "_tempDataLen", "registerProducer", "unregisterProducer"),
        needs(Connection, "TLS", "abortConnection", "fileno"),
    )

    def make_sender(self, send: AsgiSend) -> Sender:
        """The sender of an accepted connection: Daphne's `send` is functools.partial(handle_reply, protocol)."""
        protocol = send.args[0] if isinstance(send, functools.partial) and send.args else None
        transport = getattr(protocol, "transport", None)
        if (
            self.is_usable
            and isinstance(protocol, WatchedProtocol)
            and isinstance(transport, Connection)
            and not transport.TLS
        ):
            return DaphneSender(protocol)
        return SteppingSender(send)  # it never waits
