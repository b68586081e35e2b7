"""Ties a runtime to the server process's life, whichever server it is."""

import sys
from typing import Any

from streaming.runtime import Runtime
from streaming.servers import find_make_sender


class Lifespan:
    """The ASGI lifespan application (https://asgi.readthedocs.io/en/latest/specs/lifespan.html)."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Start the runtime with the server and end it with the server."""
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                if "uvicorn.server" in sys.modules:  # of the servers with a lifespan, the one that was looked into
                    self._runtime.hub.make_sender = find_make_sender("uvicorn")
                self._runtime.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._runtime.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def start_with_reactor(runtime: Runtime) -> None:
    """Start `runtime` as soon as Twisted's reactor runs: Daphne has no lifespan.

    The app "daphne" has installed the reactor; under any other server it never runs, and this does nothing.
    """

    def start() -> None:
        runtime.hub.make_sender = find_make_sender("daphne")
        runtime.start()

    reactor: Any = sys.modules.get("twisted.internet.reactor")
    if reactor is not None:
        reactor.callWhenRunning(reactor.callLater, 0, start)
