"""The `websockets` library with its own broadcast()."""

import sys
from collections.abc import Sequence

from benchmarks.peers.peer import Peer, Stage
from benchmarks.processes import Program


class WebsocketsBroadcast(Peer):
    """A server of the websockets library, as its documentation shows it."""

    name = "websockets-broadcast"
    about = "the websockets library's own server and broadcast(), on asyncio's loop"
    packages = ("websockets",)

    def programs(self, stage: Stage) -> Sequence[Program]:
        """One process."""
        argv = [sys.executable, "-m", "benchmarks.peers.websockets_server", str(stage.port), str(stage.interval_s)]
        return [Program(argv, port=stage.port)]
