"""This dashboard, as `make serve` runs it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.peer import Peer, Stage
from benchmarks.processes import PROJECT, Program

#: What settings.py reads: nothing of the machine's own `.env` may change the figures.
ENVIRONMENT = {
    "SECRET_KEY": "only-for-this-benchmark-" * 3,
    "DEBUG": "false",
    "LOG_LEVEL": "WARNING",
    "CONNECTIONS_PER_ADDRESS": "0",
    "REDIS_URL": "",
    "STREAM_PUBLISHER": "true",
}


class Ours(Peer):
    """The dashboard under one of its servers."""

    path = "/stream/live"
    health_path = "/stream/health"

    def __init__(self, server: str) -> None:
        self.name = f"ours-{server}"
        self.about = f"this dashboard, `make serve` with SERVER={server}"
        self._server = server
        self._environment: dict[str, str] = {}

    def prepare(self, folder: Path, database_url: str = "") -> None:
        """Migrate a database: the one of `database_url`, else an SQLite file of our own."""
        database = database_url or f"sqlite:///{folder / self.name}.sqlite3"
        environment = {**ENVIRONMENT, "DATABASE_URL": database, "STREAM_JOURNAL": str(folder / f"{self.name}-journal")}
        self._environment = {name: value for name, value in environment.items() if value}
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=PROJECT,
            env={**os.environ, **self._environment},
            check=True,
        )

    def programs(self, stage: Stage) -> Sequence[Program]:
        """One server process, with the publisher in it."""
        argv = [sys.executable, "manage.py", "serve", "--server", self._server, "--port", str(stage.port)]
        return [Program(argv, {**self._environment, "STREAM_INTERVAL": f"{stage.interval_s:g}"}, stage.port)]

    def guess_cost_us(self, clients: int) -> float:
        """See Peer."""
        return 100.0


OURS_DAPHNE = Ours("daphne")
OURS_UVICORN = Ours("uvicorn")
