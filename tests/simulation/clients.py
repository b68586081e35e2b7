"""Clients that come and go between the servers, and keep account of what they have received."""

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from streaming.delivery.client import Client
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.node import Node, SimulatedRuntime
    from tests.simulation.world import World


class Record(NamedTuple):
    """A line of a ledger: `missed` is where a told hole begins; None where nothing was said."""

    id: int
    previous: int | None
    missed: int | None


class Connection:
    """A socket between a client and a server's process, with a buffer that may be full."""

    def __init__(self, world: "World", client: "SimulatedClient", process: Process) -> None:
        self.world = world
        self.client = client
        self.process = process
        self.is_open = True
        self.buffer: list[Any] = []
        self._member: Client | None = None
        self._runtime: SimulatedRuntime | None = None
        self._room: asyncio.Event | None = None
        self._is_reading = False
        world.connections[self] = None

    # --- the server's end ---

    def accept(self, node: "Node", since: int | None) -> None:
        """Called in the server's process: what the consumer does."""
        runtime = node.runtime
        if runtime is None or node.process is not self.process or not self.is_open:
            self.break_off()
        elif not runtime.hub.is_ready.is_set() or runtime.hub.is_draining:
            self.world.loop.later(0.05, self.break_off)
        else:
            self._runtime = runtime
            self._member = runtime.hub.join(self.send, since=since)

    async def send(self, message: Any) -> None:
        """The server's ASGI send. Raises RuntimeError where the connection has ended."""
        while self.is_open and len(self.buffer) >= self.client.room:
            self._room = asyncio.Event()
            await self._room.wait()
        if not self.is_open:
            raise RuntimeError("the connection is closed")
        self.buffer.append(message)
        self._read_soon()

    def _leave(self) -> None:
        """Called in the server's process, which has seen the end of the connection."""
        if self._runtime is not None and self._member is not None:
            self._runtime.hub.leave(self._member)

    # --- the client's end ---

    def _read_soon(self) -> None:
        if not self._is_reading:
            self._is_reading = True
            chance = self.world.chance
            self.world.loop.later(0.0002 + self.client.pause_s * chance.random(), self._read)

    def _read(self) -> None:
        self._is_reading = False
        if not self.is_open:
            return
        count = 1 if self.client.pause_s > 0.01 else len(self.buffer)
        for message in self.buffer[:count]:
            if message["type"] == "websocket.close":
                self.break_off()
                return
            self.client.receive(message["text"])
        del self.buffer[:count]
        if self._room is not None:
            self.process.soon(self._room.set)
            self._room = None
        if self.buffer:
            self._read_soon()

    def break_off(self) -> None:
        """End the connection, for both; what was on its way is lost."""
        if not self.is_open:
            return
        self.is_open = False
        self.world.connections.pop(self, None)
        if not self.process.is_dead:
            self.process.soon(self._leave)
            if self._room is not None:
                self.process.soon(self._room.set)
        self.client.come_back_soon()


class SimulatedClient:
    """A program that wants everything, once. Each ledger begins with a cursor, or with whatever comes first."""

    def __init__(self, world: "World", name: str, *, pause_s: float, room: int) -> None:
        self.world = world
        self.name = name
        self.pause_s = pause_s
        self.room = room
        self.ledgers: list[list[Record]] = []
        self.told = 0  # holes
        self.is_gone = False
        self._last: int | None = None
        self._connection: Connection | None = None
        self.begin_ledger(None)

    def begin_ledger(self, since: int | None) -> None:
        """Forget everything, but perhaps a cursor."""
        self.ledgers.append([] if since is None else [Record(since, None, None)])
        self._last = since

    def connect(self) -> None:
        """Connect to any server, where the last connection ended."""
        world = self.world
        if self.is_gone or (self._connection is not None and self._connection.is_open):
            return
        node = world.chance.choice(world.servers)
        if not node.is_up or node.process is None:
            self.come_back_soon()
            return
        world.tell(f"{self.name} connects to {node.process.name} with since={self._last}")
        self._connection = world.make_connection(self, node.process)
        node.process.soon(self._connection.accept, node, self._last)

    def come_back_soon(self) -> None:
        self.world.loop.later(0.02 + 0.2 * self.world.chance.random(), self.connect)

    def hop(self) -> None:
        """Disconnect, to come back elsewhere; now and then as somebody who knows less."""
        chance = self.world.chance
        if self._connection is not None and self._connection.is_open:
            self._connection.break_off()
        if chance.random() < 0.2 and self.ledgers[-1]:
            self.begin_ledger(chance.choice(self.ledgers[-1]).id if chance.random() < 0.8 else None)

    def receive(self, text: str) -> None:
        """Write a message into the ledger, and look whether it may follow the last one."""
        plain, missed = text, None
        head, separator, tail = text.rpartition(',"missed":')
        if separator:
            plain, missed = head + "}", json.loads(tail[:-1])["after"]
        number, previous = find_place(plain)
        world, last = self.world, self._last
        world.watch.note_arrival(self.name, number, plain)
        world.tell(f"{self.name} receives {number} after {previous}{f', missing after {missed}' if separator else ''}")
        if last is not None:
            self._check(number, previous, last, missed)
        self._last = number
        self.ledgers[-1].append(Record(number, previous, missed))

    def _check(self, number: int, previous: int | None, last: int, missed: int | None) -> None:
        object_to = self.world.watch.object
        if number <= last:
            object_to(f"{self.name} received {number} after {last}")
        elif missed is not None:
            self.told += 1
            if missed != last:
                object_to(f"{self.name} was told of a hole after {missed}, and had everything up to {last}")
        elif previous is not None and previous != last:
            object_to(f"{self.name} received {number}, which follows {previous}, after {last} and without a word")


def find_place(text: str) -> tuple[int, int | None]:
    """`id` and `previous` of a message, without decoding all of it."""
    start = text.index('"id":') + 5
    number, _, rest = text[start:].partition(',"previous":')
    previous = rest[: rest.index(",")]
    return int(number), None if previous == "null" else int(previous)
