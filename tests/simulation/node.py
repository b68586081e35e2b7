"""One place where a process of the dashboard runs, again and again: the real runtime on the simulated seams."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from access.gate import Gate
from metrics.history.writer import HistoryWriter
from metrics.snapshot import EncodedSnapshot
from streaming.delivery.client import Client
from streaming.delivery.hub import Hub
from streaming.delivery.sending import AsgiSender, Sender
from streaming.past import Past
from streaming.publishing.lease import Lease, LocalLease, RedisLease
from streaming.publishing.local_layer import LocalChannelLayer
from streaming.publishing.outlet import LayerOutlet, Published
from streaming.publishing.publisher import Publisher
from streaming.runtime import ReceivedByHub, Runtime, keep_running
from tests.simulation.database import SimulatedReader, SimulatedStore, SimulatedThread
from tests.simulation.disk import SimulatedJournal
from tests.simulation.layer import SimulatedLayer
from tests.simulation.process import Process
from tests.simulation.redis import SimulatedLeaseStore, SimulatedOutlet, SimulatedPromptRedis
from tests.simulation.sockets import SocketConnection
from tests.simulation.sources import SimulatedChoices
from tests.simulation.watch import Watch

if TYPE_CHECKING:
    from tests.simulation.world import World


class WatchedOutlet(LayerOutlet):
    """The real outlet of the embedded default; what it publishes is noted."""

    def __init__(self, layer: LocalChannelLayer, watch: Watch) -> None:
        super().__init__(layer)
        self._watch = watch

    async def publish(self, message: EncodedSnapshot, holder: str) -> Published:
        self._watch.tell(f"publishes {message.id} after {message.previous} in term {message.term}")
        self._watch.add(message)
        return await super().publish(message, holder)


def make_socket_sender(send: Any) -> Sender:
    """As a server's door does: `send` is a method of the connection."""
    connection: SocketConnection = send.__self__
    return connection.make_sender()


class OrderedClients(dict[Client, None]):
    """A set that goes through its members in the order in which they came: the same seed tells the same story."""

    def add(self, client: Client) -> None:
        self[client] = None

    def remove(self, client: Client) -> None:
        del self[client]


class SimulatedRuntime(Runtime):
    """The real runtime; only what it is made of is the simulation's."""

    def __init__(self, world: "World", process: Process) -> None:
        topology = world.topology
        self.world = world
        self.process = process
        self.reading = SimulatedThread(world.database, world.database_path, process)
        self.writing = SimulatedThread(world.database, world.database_path, process)
        self.client = SimulatedPromptRedis(
            world.redis, world.redis_path, patience_s=topology.ttl_s / 4, asker=process.name
        )
        if topology.is_embedded:
            self.layer: Any = LocalChannelLayer()
            self.outlet: Any = WatchedOutlet(self.layer, world.watch)
        else:
            self.layer = SimulatedLayer(world.redis, world.redis_path, process)
            self.outlet = SimulatedOutlet(self.client, self.layer)
        self.history = self._publishers_history = SimulatedReader(world.database, self.reading)
        self.publisher: Publisher | None = None
        self.past = Past(self.outlet, self.history, self._waiting)
        self.hub = Hub(
            keep=topology.keep,
            patience_s=topology.patience_s,
            past=self.past,
            make_sender=make_socket_sender if topology.steps else AsgiSender,
            write=world.descriptors.write,
            clock=world.read_uneven_clock,
        )
        self.hub.audience.size = 1  # so that turns end between any two of them
        self.hub.clients = OrderedClients()  # type: ignore[assignment]
        self.layer.on_reconnect = self.hub.note_reconnect
        self.link_gate = Gate()  # nobody comes by a link: nothing is asked of it
        self.started_at = None
        self._tasks: list[asyncio.Task[None]] = []

    def make_publisher(self) -> Publisher:
        """See Runtime."""
        world, process, topology = self.world, self.process, self.world.topology
        lease: Lease = LocalLease()
        if not topology.is_embedded:
            store = SimulatedLeaseStore(self.client)
            loop = world.loop
            lease = RedisLease(store, ttl_s=topology.ttl_s, token=process.name, clock=loop.time, wall=process.wall)
        return Publisher(
            self.outlet,
            lease,
            interval_s=topology.interval_s,
            history=HistoryWriter(
                SimulatedStore(world.database, self.writing),
                retention_s=1e9,
                journal=SimulatedJournal(world.disk, process),  # type: ignore[arg-type]
                wall=process.wall,
            ),
            choices=SimulatedChoices(),
            sources=world.sources,
            past=self.past,
            received=ReceivedByHub(self.hub),
            wall=process.wall,
        )

    def start(self, *, with_publisher: bool | None = None) -> None:
        """See Runtime; the loop's lag and the garbage are no subject here."""
        self.started_at = self.world.loop.time()
        if with_publisher:
            self.publisher = self.make_publisher()
            self._begin("publisher", self._publish)
        self._begin("hub", self._deliver)

    def _begin(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(keep_running(name, work)))


class Node:
    """A place that a process runs in: after its end another one is started there."""

    def __init__(self, world: "World", name: str, *, publishes: bool) -> None:
        self.world = world
        self.name = name
        self.publishes = publishes
        self.process: Process | None = None
        self.processes: list[Process] = []
        self.runtime: SimulatedRuntime | None = None
        self._numbers = itertools.count(1)
        self.clock_offset_s = 0.0

    @property
    def is_up(self) -> bool:
        return self.process is not None and not self.process.is_dead

    def start(self) -> None:
        """Start a process, unless one runs."""
        if not self.is_up:
            self.process = Process(self.world.loop, f"{self.name}.{next(self._numbers)}")
            self.processes.append(self.process)
            self.process.clock_offset_s = self.clock_offset_s
            self.world.tell(f"{self.process.name} starts")
            self.process.soon(self._begin, self.process)

    def _begin(self, process: Process) -> None:
        self.runtime = SimulatedRuntime(self.world, process)
        self.runtime.start(with_publisher=self.publishes)

    def kill(self) -> None:
        """kill -9; its connections end."""
        if self.process is not None and self.is_up:
            self.world.tell(f"{self.process.name} is killed")
            self._end(self.process)

    def _end(self, process: Process) -> None:
        process.kill()
        self.runtime = None
        self.world.redis.forget(process)
        for connection in [one for one in self.world.connections if one.process is process]:
            connection.break_off()

    def terminate(self) -> None:
        """SIGTERM: it tells the clients to come back, writes what it can, and ends."""
        process, runtime = self.process, self.runtime
        if process is not None and runtime is not None and self.is_up:
            self.world.tell(f"{process.name} is asked to end")
            process.spawn(self._stop(process, runtime))

    async def _stop(self, process: Process, runtime: SimulatedRuntime) -> None:
        await runtime.stop()
        self.world.tell(f"{process.name} has ended")
        self.world.loop.later(0, self._end_if_same, process)

    def _end_if_same(self, process: Process) -> None:
        if self.process is process and self.is_up:
            self._end(process)
            if self.world.is_healed:
                self.start()

    def strike_after(self, steps: int, strike: Callable[[], None]) -> None:
        """Have something happen to the process when it has taken `steps` more steps: at any of its awaits."""
        if steps and self.process is not None and self.process.is_running:
            self.process.after_steps(steps, strike)
        else:
            strike()

    def freeze(self) -> None:
        """SIGSTOP."""
        if self.process is not None and self.process.is_running:
            self.world.tell(f"{self.process.name} is frozen")
            self.process.freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        if self.process is not None and not self.process.is_dead:
            self.world.tell(f"{self.process.name} goes on")
            self.process.steps_left = 0
            self.process.thaw()

    def heal(self) -> None:
        """Let a process run here."""
        self.thaw()
        self.start()

    def stop_publishing(self) -> None:
        """Let the publisher publish nothing more."""
        if self.runtime is not None and self.runtime.publisher is not None:
            self.runtime.publisher.publish = publish_nothing  # type: ignore[method-assign]

    def step_clock(self, seconds: float) -> None:
        """Set the wall clock of this place ahead, or back."""
        self.world.tell(f"{self.name}: the clock steps by {seconds:+.0f} s")
        self.clock_offset_s += seconds
        if self.process is not None:
            self.process.clock_offset_s = self.clock_offset_s


async def publish_nothing() -> None:
    """Instead of Publisher.publish."""
