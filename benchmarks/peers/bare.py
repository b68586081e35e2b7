"""The servers alone: an ASGI application that accepts and then waits, and nothing of this dashboard."""

import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.peers.peer import PING_INTERVAL_S, Peer, Stage
from benchmarks.processes import Program


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Accept a WebSocket and wait for its end."""
    if scope["type"] != "websocket":
        raise ValueError(f"nothing is here for {scope['type']}")
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


class Bare(Peer):
    """One of the two servers, as its own command starts it."""

    def __init__(self, server: str) -> None:
        self.name = f"{server} alone"
        self._server = server

    def programs(self, stage: Stage) -> Sequence[Program]:
        """One process."""
        options = {
            "daphne": ["-v", "0", "--ping-interval", f"{PING_INTERVAL_S}"],
            "uvicorn": ["--ws", "websockets-sansio", "--log-level", "warning", "--lifespan", "off"],
        }[self._server]
        argv = [sys.executable, "-m", self._server, *options, "--port", f"{stage.port}"]
        return [Program([*argv, "benchmarks.peers.bare:application"], port=stage.port)]
