"""Keeps the last places for those who look after the server: health, the admin, and signing in."""

from collections.abc import Callable, Container, Coroutine
from typing import Any

from streaming.limits.bodies import answer
from streaming.limits.visits import Peer

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Coroutine[Any, Any, None]]

#: What is served in the reserve: where these addresses begin.
SERVED = ("/stream/health", "/admin/", "/account/", "/static/")


class Reserve:
    """An ASGI application around all others, which says 503 to whoever came late and wants something else."""

    def __init__(self, application: Application, reserved: Container[Peer]) -> None:
        """`reserved`: the peers of connections that were accepted when only the reserve was left."""
        self.application = application
        self._reserved = reserved

    def __call__(self, scope: Scope, receive: Any, send: Any) -> Coroutine[Any, Any, None]:
        """As ASGI; nothing awaits here, for whatever does stays in memory as long as a connection."""
        client = scope.get("client")
        if client is None or tuple(client) not in self._reserved or scope["path"].startswith(SERVED):
            return self.application(scope, receive, send)
        return refuse(scope, receive, send)


async def refuse(scope: Scope, receive: Any, send: Any) -> None:
    """Say that there is no place."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1013})
    else:
        words = "All connections that this server may have are taken; try again in a moment."
        await answer(send, 503, words, retry_after_s=5)
