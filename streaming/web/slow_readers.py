"""Bounds how long an HTTP response may wait for a client that does not read, and what is held for it.

A part of a response is at most 64 KiB, and the next one is made when the client has taken the last: on uvicorn by
itself, on Daphne through `daphne_responses`. Who takes nothing for STREAM_SEND_TIMEOUT seconds is disconnected.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from streaming.servers.responses import AsgiMessage, AsgiSend, ServerResponse

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Application = Callable[[Scope, Receive, AsgiSend], Awaitable[None]]

#: Seconds within which the server tells the application that a connection that we aborted is gone.
FAREWELL_S = 5.0


class SlowReaderError(OSError):
    """The client did not read and was disconnected, and the application went on sending."""


def find_response(send: AsgiSend) -> ServerResponse:
    """The response that a server's `send` belongs to."""
    if "daphne.server" in sys.modules:  # importing it installs Twisted's reactor
        from streaming.servers.daphne_responses import find_daphne_response

        if (response := find_daphne_response(send)) is not None:
            return response
    return ServerResponse(send)


class SlowReaders:
    """An ASGI application around the one for HTTP, which ends responses that are not read or that break off."""

    def __init__(self, application: Application, patience_s: float | None = None) -> None:
        """`patience_s`: seconds that a client may take nothing; None: STREAM_SEND_TIMEOUT."""
        self._application = application
        self._patience_s = settings.STREAM_SEND_TIMEOUT if patience_s is None else patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: AsgiSend) -> None:
        response = find_response(send)
        has_started = False

        async def send_in_time(message: AsgiMessage) -> None:
            nonlocal has_started
            has_started = True
            try:
                async with asyncio.timeout(self._patience_s):
                    await response.send(message)
            except TimeoutError:
                await self._dismiss(scope, response)

        try:
            await self._application(scope, receive, send_in_time)
        except SlowReaderError:
            pass
        except Exception:
            if not has_started:
                raise  # the server answers with 500
            # Too late for that. The client must not take what it has for the whole; and when told, Daphne would try to
            # answer a second time, fail, and look after its connections no more.
            logger.exception("The response to %s broke off; its connection is closed.", scope["path"])
            response.abort()
        finally:
            response.finish()
        response.abort_unless_read(self._patience_s)

    async def _dismiss(self, scope: Scope, response: ServerResponse) -> None:
        """Disconnect the client, and wait for the application to be told, as by any client that leaves.

        Django then cancels the response that waits here, and closes it. Raises SlowReaderError where nothing happens.
        """
        client = (scope.get("client") or ["?"])[0]
        logger.info("%s took nothing of %s for %g s and is disconnected.", client, scope["path"], self._patience_s)
        response.abort()
        await asyncio.sleep(FAREWELL_S)
        raise SlowReaderError(f"{client} is gone")
