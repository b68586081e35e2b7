"""The processes of a run: a cluster as in production, or one embedded server."""

import asyncio
import contextlib
import math
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
import redis as redis_client

from streaming.ledger import Entry
from tests.faults.clock import Clock
from tests.faults.disk import find_folder, read_sqlite
from tests.nginx import DeployedNginx
from tests.postgresql import Postgresql
from tests.processes import Process, Redis, Server, run_manage, wait_until

INTERVAL_S = 0.5
#: Seconds that a publisher needs until it stands by.
STANDBY_S = 3.0
ROWS = "SELECT id, previous FROM metrics_snapshotrecord ORDER BY id"


class Stage:
    """What the two have in common. `servers`: all that clients may connect to."""

    def __init__(self, folder: Path) -> None:
        """`folder`: for logs and data."""
        self.folder = folder
        self.servers: list[Server] = []
        #: Since when each server listens, by its stream's address, on the monotonic clock; infinity while it does not.
        self.began: dict[str, float] = {}
        #: Ids up to this one are not expected in history: what kept them was deleted on purpose.
        self.forgotten = 0
        self.settings = {"STREAM_INTERVAL": str(INTERVAL_S), "STREAM_DRAIN": "2", "STREAM_JOURNAL": str(folder / "j")}

    @property
    def addresses(self) -> list[str]:
        """Where clients connect."""
        return [server.stream for server in self.servers]

    async def start_server(self, server: Server) -> None:
        """Start (again) and wait until it listens."""
        self.began[server.stream] = math.inf
        server.spawn()
        await asyncio.to_thread(wait_until, server.listens, 30, "the server listens")
        self.began[server.stream] = time.monotonic()

    async def end_server(self, server: Server) -> None:
        """End it as a deployment does; while it ends, nobody asks for its health."""
        self.began[server.stream] = math.inf
        code = await asyncio.to_thread(server.stop)
        assert code == 0, f"{server.kind} ended with exit code {code}"

    async def freeze_server(self, server: Server, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after a while; meanwhile nobody asks for its health."""
        began, self.began[server.stream] = self.began[server.stream], math.inf
        server.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        server.send(signal.SIGCONT)
        self.began[server.stream] = began

    def is_up(self, server: Server) -> bool:
        """Whether it runs, as far as this knows."""
        return server.process is not None and server.process.poll() is None

    async def start(self) -> None:
        """Start everything."""
        raise NotImplementedError

    def read_rows(self) -> list[Entry]:
        """What history keeps. Raises OSError where it cannot be read."""
        raise NotImplementedError

    @property
    def processes(self) -> Sequence[Process]:
        """All that `stop` ends, in that order."""
        return self.servers

    def stop(self) -> None:
        """End everything that runs."""
        for process in self.processes:
            if process.process is not None and process.process.poll() is None:
                process.send(signal.SIGCONT)
                process.send(signal.SIGTERM)
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                if process.process is not None:
                    process.process.wait(10)
            if process.process is not None and process.process.poll() is None:
                process.kill()

    async def __aenter__(self) -> "Stage":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)


class Cluster(Stage):
    """Three servers behind nginx, two publishers, two Redis, PostgreSQL."""

    def __init__(self, folder: Path, kinds: Sequence[str] = ("daphne", "uvicorn", "daphne")) -> None:
        """See Stage. `kinds`: of the servers."""
        super().__init__(folder)
        # What is in it survives a kill: `restarted with its data` means all of them.
        self.redis = Redis(folder, "--appendonly", "yes", "--appendfsync", "always")
        self.metrics_redis = Redis(folder)
        self.postgresql = Postgresql()
        self.settings |= {
            "REDIS_URL": self.redis.url,
            "METRICS_REDIS_URL": self.metrics_redis.url,
            "DATABASE_URL": self.postgresql.url,
            "STREAM_PUBLISHER": "false",
        }
        self.servers = [Server(folder, kind, **self.settings) for kind in kinds]
        for number, server in enumerate(self.servers):
            server.log = folder / f"server-{number}.log"
        self.nginx = DeployedNginx(folder, [server.port for server in self.servers])
        self.publishers: list[Process] = []
        self.spawned: dict[int, float] = {}

    @property
    def addresses(self) -> list[str]:
        """See Stage: each server, and nginx before them."""
        return [*super().addresses, self.nginx.stream]

    @property
    def processes(self) -> Sequence[Process]:
        """See Stage: the writers before what they write to."""
        return [*self.publishers, *self.servers, self.nginx, self.redis, self.metrics_redis]

    async def start(self) -> None:
        """See Stage."""
        await asyncio.to_thread(self._start_programs)
        await asyncio.gather(*map(self.start_server, self.servers))  # all prepare the same empty database
        with psycopg.connect(self.postgresql.url, autocommit=True) as connection:
            connection.execute("UPDATE metrics_datasource SET kind = 'redis' WHERE \"group\" = 'ai'")
        self.publishers = [self._make_publisher(number) for number in range(2)]
        for publisher in self.publishers:
            self.spawn_publisher(publisher)
        await asyncio.to_thread(self.nginx.start)
        await asyncio.to_thread(wait_until, self.find_leader, 30, "a publisher leads")

    def _start_programs(self) -> None:
        self.redis.start()
        self.metrics_redis.start()
        self.metrics_redis.set(ai__accuracy=0.8, ai__latency=120, ai__sharpe=1.2, ai__regime="bull")
        self.postgresql.start()

    def _make_publisher(self, number: int, clock: Clock | None = None) -> Process:
        environment = {**self.servers[0].environment, **(clock.environment if clock is not None else {})}
        command = [sys.executable, "manage.py", "publish_metrics"]
        return Process(command, self.folder / f"publisher-{number}.log", **environment)

    def spawn_publisher(self, publisher: Process) -> None:
        """Start (again); it is ready to lead after STANDBY_S."""
        publisher.spawn()
        self.spawned[publisher.pid] = time.monotonic()

    async def set_clocks(self, clocks: Sequence[Clock | None]) -> None:
        """Replace the publishers by ones with these clocks (None: the machine's)."""
        for publisher in self.publishers:
            await asyncio.to_thread(publisher.stop)
        self.publishers = [self._make_publisher(number, clock) for number, clock in enumerate(clocks)]
        for publisher in self.publishers:
            self.spawn_publisher(publisher)
        await asyncio.to_thread(wait_until, self.find_leader, 30, "a publisher leads")

    def find_leader(self) -> Process | None:
        """The publisher that holds the lease; None where none does."""
        with redis_client.Redis(port=self.redis.port, socket_timeout=2) as connection:
            lease = connection.get("quantum:lease")
        if not isinstance(lease, bytes):
            return None
        said = f"holds the lease, in term {lease.decode().partition(':')[0]}."
        return next((one for one in self.publishers if said in one.output), None)

    async def have_leader_and_standby(self) -> Process:
        """Wait until one leads and the other is ready to; returns the one that leads."""
        for publisher in self.publishers:
            await asyncio.sleep(max(0.0, self.spawned[publisher.pid] + STANDBY_S - time.monotonic()))
        leader = await asyncio.to_thread(wait_until, self.find_leader, 30, "a publisher leads")
        assert leader is not None
        return leader

    def read_rows(self) -> list[Entry]:
        """See Stage."""
        try:
            with psycopg.connect(self.postgresql.url, connect_timeout=5) as connection:
                return [Entry(*row) for row in connection.execute(ROWS)]
        except psycopg.Error as error:
            raise OSError(str(error)) from None

    def stop(self) -> None:
        """See Stage."""
        super().stop()
        self.postgresql.remove()


class Embedded(Stage):
    """One server that publishes, with SQLite; on a small disk of its own where this may mount one."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        """See Stage. `clock`: what the server takes for the time."""
        super().__init__(folder)
        self.disk = find_folder(folder / "disk")
        self.database = self.disk.folder / "db.sqlite3"
        self.settings |= {
            "DATABASE_URL": f"sqlite:///{self.database}",
            "STREAM_JOURNAL": str(self.disk.folder / "journal"),
            **(clock.environment if clock is not None else {}),
        }
        self.servers = [Server(folder, "daphne", **self.settings)]

    @property
    def server(self) -> Server:
        """The one."""
        return self.servers[0]

    async def start(self) -> None:
        """See Stage."""
        await self.start_server(self.server)

    def migrate(self) -> None:
        """What an operator does where the database is gone (blocking)."""
        run_manage("migrate", "-v0", **self.server.environment).check_returncode()

    def read_rows(self) -> list[Entry]:
        """See Stage."""
        return [Entry(*row) for row in read_sqlite(self.database, ROWS)]

    def stop(self) -> None:
        """See Stage."""
        super().stop()
        self.disk.remove()
