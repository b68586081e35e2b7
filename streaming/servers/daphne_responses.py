"""Back-pressure for HTTP responses under Daphne, which has none: its `send` never waits, and Twisted buffers it all.

Twisted has a way to be told: a push producer is paused when more than 64 KiB wait in the connection's buffer, and
resumed when they are gone (twisted.internet.interfaces.IPushProducer). Each response of several parts becomes one.
"""

import asyncio
import functools
import logging
from typing import Any

import daphne.server
from daphne.http_protocol import WebRequest

from streaming.servers.responses import AsgiMessage, AsgiSend, ServerResponse

logger = logging.getLogger(__name__)


class DaphneResponse(ServerResponse):
    """One response, whose parts wait while Twisted's buffer for its connection is full."""

    def __init__(self, send: AsgiSend, request: WebRequest) -> None:
        super().__init__(send)
        self._request = request
        self._is_producer = False
        self._may_write = asyncio.Event()
        self._may_write.set()

    async def send(self, message: AsgiMessage) -> None:
        """Send when the client has taken what was sent before; the last part takes the producer away."""
        if message["type"] == "http.response.body":
            if message.get("more_body", False):
                self._register()
            await self._may_write.wait()
            if not message.get("more_body", False):
                self.finish()  # Twisted complains about a producer that is left when a response ends
        await super().send(message)

    def _register(self) -> None:
        # Twisted takes the channel away from a request that has ended or lost its connection.
        if not self._is_producer and getattr(self._request, "channel", None) is not None:
            self._is_producer = True
            self._request.registerProducer(self, True)

    def finish(self) -> None:
        """Be no producer any more; again does nothing. Twisted itself ends connections that take nothing after it."""
        if self._is_producer:
            self._is_producer = False
            if getattr(self._request, "channel", None) is not None:
                self._request.unregisterProducer()

    def abort(self) -> None:
        """End the connection now, whatever waits to be sent."""
        self._request.transport.abortConnection()

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Twisted's buffer is full."""
        self._may_write.clear()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Twisted's buffer is empty."""
        self._may_write.set()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The connection is gone: Daphne drops what is sent from now on."""
        self._may_write.set()


def find_daphne_response(send: AsgiSend) -> DaphneResponse | None:
    """The response that Daphne's `send` belongs to; None where `send` is not Daphne's, or not as expected."""
    server = getattr(getattr(send, "func", None), "__self__", None)
    if not isinstance(send, functools.partial) or not isinstance(server, daphne.server.Server):
        return None
    request: Any = send.args[0] if send.args else None
    if not isinstance(request, WebRequest) or not hasattr(request, "registerProducer"):
        warn_once(type(request).__name__)
        return None
    return DaphneResponse(send, request)


@functools.cache
def warn_once(kind: str) -> None:
    """Say that this version of Daphne is another one than we know."""
    logger.warning("Daphne's requests are %s, not as expected: slow readers' responses are not held back.", kind)
