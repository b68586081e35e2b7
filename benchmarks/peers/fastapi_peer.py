"""What such a dashboard is usually written as: each connection has a loop of its own."""

import sys
from collections.abc import Sequence

from benchmarks.peers.peer import PING_INTERVAL_S, Peer, Stage
from benchmarks.processes import Program


class FastAPI(Peer):
    """FastAPI on uvicorn."""

    name = "fastapi"
    about = "FastAPI on uvicorn and uvloop: one coroutine a connection, with its own sleep and send_json"
    path = "/live"
    packages = ("fastapi", "uvicorn", "uvloop")
    has_own_payloads = True

    def programs(self, stage: Stage) -> Sequence[Program]:
        """One uvicorn."""
        argv = [sys.executable, "-m", "uvicorn", "--port", str(stage.port)]
        argv += ["--ws-ping-interval", str(PING_INTERVAL_S), "benchmarks.peers.fastapi_app:app"]
        return [Program(argv, {"BENCH_INTERVAL": str(stage.interval_s)}, stage.port)]

    def guess_cost_us(self, clients: int) -> float:
        """See Peer."""
        return 150.0
