"""Everything that there is in one schedule: servers, publishers, clients, and what stands between them."""

import itertools
import random
from dataclasses import dataclass

from metrics.snapshot import EncodedSnapshot
from tests.simulation.clients import Connection, SimulatedClient
from tests.simulation.database import SimulatedDatabase
from tests.simulation.disk import SimulatedDisk
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Path
from tests.simulation.node import Node
from tests.simulation.process import Process
from tests.simulation.redis import SimulatedRedis
from tests.simulation.sockets import Descriptors, SocketConnection
from tests.simulation.sources import SimulatedSources
from tests.simulation.watch import Watch


@dataclass(frozen=True)
class Topology:
    """Who there is. `keep`: snapshots in a hub's memory; `steps`: whether it writes to sockets directly."""

    is_embedded: bool
    servers: int
    publishers: int
    servers_publish: bool
    clients: int
    interval_s: float
    ttl_s: float
    keep: int
    patience_s: float
    steps: bool

    @classmethod
    def draw(cls, chance: random.Random) -> "Topology":
        """A random one."""
        is_embedded = chance.random() < 0.25
        servers_publish = is_embedded or chance.random() < 0.4
        return cls(
            is_embedded=is_embedded,
            servers=1 if is_embedded else chance.choice((1, 2, 2, 3)),
            publishers=0 if servers_publish else chance.choice((1, 2, 2)),
            servers_publish=servers_publish,
            clients=chance.choice((2, 3, 4)),
            interval_s=0.5,
            ttl_s=chance.choice((1.2, 2.0)),
            keep=chance.choice((3, 6, 50)),
            patience_s=chance.choice((1.0, 5.0)),
            steps=chance.random() < 0.7,
        )


class World:
    """One schedule's. All that is open is drawn from one seed."""

    def __init__(self, seed: str, *, is_told: bool = False) -> None:
        self.chance = random.Random(seed)
        self.story: list[str] = []
        self.is_told = is_told
        self.topology = Topology.draw(self.chance)
        self.loop = SimulatedLoop(self.chance)  # type: ignore[abstract]  # what nobody here calls is not there
        self.watch = Watch(self.loop, self.tell)
        self.redis = SimulatedRedis(self.loop, self.watch)
        self.redis_path = Path(self.loop, self.chance)
        self.database = SimulatedDatabase(self.loop, self.watch)
        self.database_path = Path(self.loop, self.chance)
        self.disk = SimulatedDisk()
        self.sources = SimulatedSources(itertools.count(1))
        self.connections: dict[Connection, None] = {}
        self.descriptors = Descriptors()
        topology = self.topology
        self.servers = [
            Node(self, f"server-{number}", publishes=topology.servers_publish) for number in range(topology.servers)
        ]
        self.nodes = [
            *self.servers,
            *(Node(self, f"publisher-{number}", publishes=True) for number in range(topology.publishers)),
        ]
        self.clients = [
            SimulatedClient(
                self,
                f"client-{number}",
                pause_s=self.chance.choice((0.0, 0.0, 0.1, 0.7)),
                room=self.chance.choice((1, 3, 100)),
            )
            for number in range(topology.clients)
        ]
        self.is_healed = False
        self.watch.is_forgotten = self.is_forgotten
        self._uneven_s = 0.0

    def tell(self, event: str) -> None:
        """Add a line to the story."""
        if self.is_told:
            self.story.append(f"{self.loop.now:8.3f}  {event}")

    def is_forgotten(self, message: EncodedSnapshot) -> bool:
        """Whether nobody could know what was published before `message`, for all that kept it were away, or it is said.

        In the embedded default that is the case where the disk was full and the database away.
        """
        return self.topology.is_embedded and bool(self.disk.refused & set(self.watch.order[-1:]))

    def make_connection(self, client: SimulatedClient, process: Process) -> Connection:
        """A new connection between them."""
        return (SocketConnection if self.topology.steps else Connection)(self, client, process)

    def read_uneven_clock(self) -> float:
        """The precise clock by which the loop is shared: now and then much time has passed, so turns end anywhere."""
        self._uneven_s += 0.0002 if self.chance.random() < 0.8 else 0.03
        return self.loop.now + self._uneven_s

    def begin(self) -> None:
        """Start everybody."""
        self.tell(f"{self.topology}")
        for node in self.nodes:
            self.loop.later(0.3 * self.chance.random(), node.start)
        for client in self.clients:
            self.loop.later(1.5 * self.chance.random(), client.connect)

    def come_to_rest(self) -> None:
        """Let nothing more be published, and what was arrive."""
        self.tell("the publishers are stopped")
        for node in self.nodes:
            node.stop_publishing()
        self.loop.run_until(self.loop.now + 1.5)

    def end(self) -> None:
        """Leave nothing behind."""
        self.loop.end([handle for node in self.nodes for process in node.processes for handle in process.bury()])

    def _check_lease(self) -> None:
        """Whoever has the lease, and lives, knows that it has it and renews it: else nobody publishes until it ends."""
        state, now_ms = self.redis.state, self.redis.now_ms
        value = state.holder(now_ms)
        ttl_ms = self.topology.ttl_s * 1000
        if value is None or now_ms - (state.lease_ends_ms - ttl_ms) < 0.5 * ttl_ms:
            return
        for node in self.nodes:
            publisher = node.runtime.publisher if node.runtime is not None else None
            if publisher is None or node.process is None or not node.process.is_running:
                continue
            name, known = node.process.name, publisher.lease.holder
            if value.partition(":")[2].partition("#")[0] == name and known != value:
                self.watch.object(f"{value} has the lease, and {name} knows of {known}")

    def heal(self) -> None:
        """Let everything be well again, whatever was wrong."""
        self.tell("everything is healed")
        self.is_healed = True
        for path in (self.redis_path, self.database_path):
            path.loss = path.longest_s = 0.0
        self.disk.is_full = self.sources.is_slow = False
        self.database.heal()
        self.redis.heal()
        for node in self.nodes:
            node.heal()
        for part in (0.6, 0.8, 1.0):
            self.loop.later(part * self.topology.ttl_s, self._check_lease)
        for client in self.clients:
            client.pause_s = 0.0
