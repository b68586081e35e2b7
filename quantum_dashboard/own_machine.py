"""Keeps development mode on this machine, whichever way the server was started: its error pages show code and settings.

`manage.py serve` and `runserver` do not listen elsewhere with DEBUG; what `daphne` and `uvicorn` do, nobody asks us.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from access.exposure import explain_exposed_address

logger = logging.getLogger(__name__)

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class OwnMachineOnly:
    """ASGI middleware: HTTP requests that come to an address which others can reach get 403."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._is_told = False

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        host, *_ = scope.get("server") or (None,)  # where it came in; None: a socket of this machine
        reason = None if host is None or "/" in host else explain_exposed_address(host)
        if reason is None:
            await self._application(scope, receive, send)
            return
        if not self._is_told:
            self._is_told = True
            logger.error("%s Whoever comes there gets 403.", reason)
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": b"Not from here: this server is in development mode.\n"})
