"""Ties the runtime to the server process's life, whichever server it is."""

from typing import Any

from twisted.internet import reactor

from streaming.runtime import runtime


async def lifespan(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The ASGI lifespan application (https://asgi.readthedocs.io/en/latest/specs/lifespan.html)."""
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup":
            runtime.start()
            await send({"type": "lifespan.startup.complete"})
        else:
            await runtime.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


def start_with_reactor() -> None:
    """Start the runtime as soon as Twisted's reactor runs: Daphne has no lifespan.

    Under any other server the reactor never runs, and this does nothing.
    """
    reactor.callWhenRunning(reactor.callLater, 0, runtime.start)
