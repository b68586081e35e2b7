"""Daphne, the default: Channels' own server on Twisted."""

import asyncio
import logging
import math
import signal
import socket
from contextlib import suppress
from functools import partial
from typing import Any

import daphne.server
from daphne.endpoints import build_endpoint_description_strings
from django.conf import settings
from twisted.internet import reactor
from twisted.internet.error import ReactorNotRunning

from streaming.ending import LAST_S, end_within
from streaming.limits.visits import Visits
from streaming.mailbox import Mailbox
from streaming.runtime import Runtime
from streaming.servers import (
    BACKLOG,
    PING_TIMEOUT_S,
    Address,
    Application,
    Ready,
    ServerError,
    ping_interval_s,
)
from streaming.servers.daphne_http import VisitedFactory
from streaming.servers.daphne_sender import DaphneDoor, WatchedProtocol
from streaming.servers.listening import watch_peers

logger = logging.getLogger(__name__)

#: Seconds in which all connections are checked for timeouts and pings that are due; in parts of so many, or, where
#: there would be more of them, in so many parts.
CHECK_ROUND_S, CHECK_PART, CHECK_PARTS = 5.0, 200, 50
#: Connections accepted in a turn where others wait at the same socket. (uvloop, uvicorn's, accepts one.)
ACCEPTED = 4


class Server(daphne.server.Server):  # type: ignore[misc]  # it has no types
    """Daphne's server, except that it looks at its connections one after the other, and when something happens to them.

    All at once, every second and every 2 seconds, keep everything else waiting: 25 ms with 19,000 connections, and up
    to 133 ms where those that came together are due for their pings together. It also was an eighth of what a message
    costs.
    """

    def __init__(self, *, visits: Visits | None = None, **options: Any) -> None:
        """`visits`: who may connect; None: Daphne's own HTTP, without limits."""
        super().__init__(**options)
        self._visits = visits
        self._unchecked: list[Any] = []
        self._parts = self._part = 1

    @property
    def http_factory(self) -> Any:
        """What makes a connection's protocol: ours, whatever Daphne sets, which it does when it runs."""
        return self._http_factory

    @http_factory.setter
    def http_factory(self, factory: Any) -> None:
        self._http_factory = (
            factory
            if self._visits is None
            else VisitedFactory(self, self._visits, is_known=not DaphneDoor.find_missing())
        )

    def listen_success(self, port: Any) -> None:
        """As Daphne does, when it has begun to listen at a Twisted port."""
        watch_peers(port.socket)
        super().listen_success(port)

    def timeout_checker(self) -> None:
        """Check a part of the connections, and come back for the next; Daphne starts this once."""
        if not self._unchecked:
            self._unchecked = list(self.connections)
            self._parts = max(1, min(CHECK_PARTS, len(self._unchecked) // CHECK_PART))
            self._part = math.ceil(len(self._unchecked) / self._parts)
        for protocol in self._unchecked[-self._part :]:
            if protocol in self.connections:  # still
                protocol.check_timeouts()
        del self._unchecked[-self._part :]
        reactor.callLater(CHECK_ROUND_S / self._parts, self.timeout_checker)

    def application_checker(self) -> None:
        """Nothing: Daphne looks here for applications that have ended, once a second; ours say so."""

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """As Daphne does, with a smaller queue for what it receives, and see to its end."""
        if protocol not in self.connections:  # gone
            return None
        scope.setdefault("asgi", {"version": "3.0"})
        mailbox = Mailbox()
        serving = self.application(scope, mailbox.get, partial(self.handle_reply, protocol))
        application = asyncio.ensure_future(serving, loop=asyncio.get_running_loop())
        self.connections[protocol]["application_instance"] = application
        application.add_done_callback(partial(self._end_application, protocol))
        return mailbox

    def _end_application(self, protocol: Any, application: "asyncio.Task[None]") -> None:
        """The application of a connection has ended: where it failed, the client is told; and it is forgotten."""
        details = self.connections.get(protocol, {})
        details.pop("application_instance", None)
        is_over = "disconnected" in details
        if not application.cancelled() and (error := application.exception()) is not None:
            logger.error("Exception inside the application: %s", error, exc_info=error)
            if not is_over:
                protocol.handle_exception(error)
        if is_over:
            self.connections.pop(protocol, None)

    def protocol_disconnected(self, protocol: Any) -> None:
        """As Daphne does; then its application has `application_close_timeout` seconds to end."""
        details = self.connections.get(protocol)
        if details is None or "disconnected" in details:  # said before
            return
        super().protocol_disconnected(protocol)
        application = details.get("application_instance")
        if application is None:
            del self.connections[protocol]
        else:
            reactor.callLater(self.application_close_timeout, self._kill, application)

    @staticmethod
    def _kill(application: "asyncio.Task[None]") -> None:
        if not application.done():
            logger.warning("%r took too long to end after its connection had, and was cancelled.", application)
            application.cancel()

    def kill_all_applications(self) -> Any:
        """As Daphne does, without those connections that have no application."""
        for protocol, details in tuple(self.connections.items()):
            if "application_instance" not in details:
                del self.connections[protocol]
        return super().kill_all_applications()


def run(
    application: Application,
    runtime: Runtime,
    address: Address,
    ready: Ready,
    listening: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then send the clients away and end. Raises ServerError where it cannot listen.

    `listening`: a socket that does already.
    """
    endpoints = build_endpoint_description_strings(host=address.host, port=address.port)
    server = Server(
        visits=runtime.visits,
        application=application,
        endpoints=[f"{endpoint}:backlog={BACKLOG}" for endpoint in endpoints],
        signal_handlers=False,  # ours drain the clients first
        websocket_timeout=-1,  # a dashboard may stay open for days
        ping_interval=ping_interval_s(settings.STREAM_INTERVAL),
        ping_timeout=PING_TIMEOUT_S,
        websocket_max_message_size=settings.STREAM_LARGEST_MESSAGE,
        websocket_max_frame_size=settings.STREAM_LARGEST_MESSAGE,
        server_name="",
        verbosity=0,
    )

    if listening is not None:
        server.endpoints = []

    def when_running() -> None:
        if listening is not None:  # Twisted makes a copy for itself
            port = reactor.adoptStreamPort(listening.fileno(), listening.family, server.http_factory)
            accept_few(port)
            server.listen_success(port)
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, begin_end)
        server.ws_factory.protocol = WatchedProtocol
        # A message over the limit gets 1009, not a broken connection. Null origins are for OriginMiddleware to judge.
        server.ws_factory.setProtocolOptions(failByDrop=False, allowNullOrigin=True)
        WatchedProtocol.settle_options(server.ws_factory)
        ready(*server.listening_addresses[0])

    endings: list[asyncio.Task[None]] = []

    def stop() -> None:
        with suppress(ReactorNotRunning):  # asked twice, and the first time was heard
            server.stop()

    def begin_end() -> None:
        if endings:  # asked twice: now
            stop()
        else:
            end_within(settings.STREAM_DRAIN + LAST_S)
            endings.append(asyncio.get_running_loop().create_task(end()))

    async def end() -> None:
        logger.info("Ending: telling %d clients to come back.", len(runtime.hub.clients))
        for port in list(reactor.getReaders()):
            if hasattr(port, "stopListening"):
                port.stopListening()
        try:
            await runtime.stop()
        finally:
            stop()

    reactor.callWhenRunning(reactor.callLater, 0, when_running)
    logging.getLogger("daphne.server").addFilter(failures := ListenFailures())
    server.run()
    if server.abort_start:
        raise ServerError(failures.message or "Daphne could not start.")


def accept_few(port: Any) -> None:
    """Have `port` accept ACCEPTED connections in a turn at most, so that other processes get some of those that wait.

    Twisted accepts 100, and more where more come: all clients that came at once went to whoever was awake first.
    """
    accept = port.doRead

    def accept_some() -> None:
        port.numberAccepts = ACCEPTED
        accept()

    port.doRead = accept_some


class ListenFailures(logging.Filter):
    """Catches Daphne's own message of why it cannot listen: it tells nobody else."""

    message = ""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno == logging.CRITICAL:
            self.message = record.getMessage()
            return False
        return True
