"""What may go wrong: how it begins, and how it ends."""

import random
from collections.abc import Callable
from typing import NamedTuple

from tests.simulation.node import Node
from tests.simulation.world import World


class Fault(NamedTuple):
    """One of a schedule. Times in seconds; `depth`: steps that a process still takes before it is struck."""

    at: float
    kind: str
    lasts: float
    target: int
    depth: int


def draw_faults(chance: random.Random, world: World, end: float) -> list[Fault]:
    """One to five faults before `end`, now and then close together."""
    kinds = EMBEDDED if world.topology.is_embedded else [*EMBEDDED, *SCALED]
    weights = [FAULTS[kind][0] for kind in kinds]
    faults: list[Fault] = []
    for kind in chance.choices(kinds, weights, k=chance.choice((1, 2, 2, 3, 4, 5))):
        at = faults[-1].at + 0.3 * chance.random() if faults and chance.random() < 0.4 else end * chance.random()
        lasts = chance.choice((0.05, 0.3, 1.0, 2.5)) * (0.5 + chance.random())
        faults.append(Fault(min(at, end), kind, lasts, chance.randrange(12), chance.choice((0, 0, 3, 10, 30))))
    return sorted(faults)


def arrange(world: World, fault: Fault) -> None:
    """Have `fault` happen in its time."""
    world.loop.later(fault.at, begin, world, fault)


def begin(world: World, fault: Fault) -> None:
    world.tell(f"--- {fault.kind} for {fault.lasts:.2f} s")
    FAULTS[fault.kind][1](world, fault)


def node_of(world: World, fault: Fault) -> Node:
    return world.nodes[fault.target % len(world.nodes)]


# --- processes ---


def kill(world: World, fault: Fault) -> None:
    node = node_of(world, fault)
    node.strike_after(fault.depth, node.kill)
    world.loop.later(fault.lasts, node.start)


def kill_leader(world: World, fault: Fault) -> None:
    node = find_leader(world) or node_of(world, fault)
    node.strike_after(fault.depth, node.kill)
    world.loop.later(fault.lasts, node.start)


def find_leader(world: World) -> Node | None:
    for node in world.nodes:
        publisher = node.runtime.publisher if node.runtime is not None else None
        if publisher is not None and publisher.lease.is_held:
            return node
    return None


def freeze(world: World, fault: Fault) -> None:
    node = node_of(world, fault)
    node.strike_after(fault.depth, node.freeze)
    world.loop.later(fault.lasts, node.thaw)


def freeze_leader(world: World, fault: Fault) -> None:
    node = find_leader(world) or node_of(world, fault)
    node.strike_after(fault.depth, node.freeze)
    world.loop.later(fault.lasts, node.thaw)


def terminate(world: World, fault: Fault) -> None:
    node = node_of(world, fault)
    node.terminate()
    world.loop.later(0.3 + fault.lasts, node.start)


def roll(world: World, fault: Fault) -> None:
    """A new release: all end and start, one after the other."""
    for number, node in enumerate(world.nodes):
        world.loop.later(0.4 * number, node.terminate)
        world.loop.later(0.4 * number + 0.6, node.start)


def step_clock(world: World, fault: Fault) -> None:
    node_of(world, fault).step_clock((3600.0, -3600.0, 5.0, -5.0)[fault.depth % 4])


def step_all_clocks(world: World, fault: Fault) -> None:
    """The machine's clock: processes on one host share it."""
    for node in world.nodes:
        node.step_clock((3600.0, -3600.0, 5.0, -5.0)[fault.depth % 4])


def fill_disk(world: World, fault: Fault) -> None:
    world.disk.is_full = True
    world.loop.later(fault.lasts, setattr, world.disk, "is_full", False)


def slow_sources(world: World, fault: Fault) -> None:
    world.sources.is_slow = True
    world.loop.later(fault.lasts, setattr, world.sources, "is_slow", False)


# --- the database ---


def restart_without_history(world: World, fault: Fault) -> None:
    """A server starts while the database hangs or refuses, and clients come that lack something."""
    if fault.depth:
        world.database.stop()
    else:
        world.database.hang()
    node = world.servers[fault.target % len(world.servers)]
    node.kill()
    world.loop.later(0.1, node.start)
    world.loop.later(2.5 + fault.lasts, world.database.heal)


def hang_database(world: World, fault: Fault) -> None:
    world.database.hang()
    world.loop.later(fault.lasts, world.database.go_on)


def stop_database(world: World, fault: Fault) -> None:
    world.database.stop()
    world.loop.later(fault.lasts, world.database.heal)


def slow_database(world: World, fault: Fault) -> None:
    world.database_path.longest_s = 0.8
    world.loop.later(fault.lasts, setattr, world.database_path, "longest_s", 0.0)


# --- Redis, and the way to it ---


def hang_redis(world: World, fault: Fault) -> None:
    world.redis.hang()
    world.loop.later(fault.lasts, world.redis.go_on)


def lose_last_publication(world: World, fault: Fault) -> None:
    """The leader is killed while Redis hangs, which then publishes what it had been sent, and is flushed."""
    hung_s = world.topology.interval_s * (1 + 0.2 * world.chance.random())
    world.redis.hang()
    world.loop.later(hung_s, kill_leader, world, fault)
    world.loop.later(hung_s + 0.05, world.redis.go_on)
    world.loop.later(hung_s + 0.1, world.redis.lose, "all")


def kill_redis(world: World, fault: Fault) -> None:
    world.redis.kill()
    lost = ("", "latest", "all")[fault.depth % 3]
    world.loop.later(fault.lasts, lambda: world.redis.start(lost=lost))


def flush_redis(world: World, fault: Fault) -> None:
    world.redis.lose("all")


def lose_packets(world: World, fault: Fault) -> None:
    world.redis_path.loss = 0.3
    world.loop.later(fault.lasts, setattr, world.redis_path, "loss", 0.0)


def delay_packets(world: World, fault: Fault) -> None:
    world.redis_path.longest_s = 1.5
    world.loop.later(fault.lasts, setattr, world.redis_path, "longest_s", 0.0)


def cut_layer(world: World, fault: Fault) -> None:
    """A server's subscription breaks, and is made anew."""
    layers = world.redis.layers
    if layers:
        layer = layers[fault.target % len(layers)]
        layer.cut()
        world.loop.later(fault.lasts, layer.mend_soon)


def lose_messages(world: World, fault: Fault) -> None:
    """Messages get lost, and nobody hears of it."""
    layers = world.redis.layers
    if layers:
        layer = layers[fault.target % len(layers)]
        layer.loss = 0.5
        world.loop.later(fault.lasts, setattr, layer, "loss", 0.0)


def delay_messages(world: World, fault: Fault) -> None:
    """One process hears of everything later than the others, and clients come and go between them."""
    layers = world.redis.layers
    if layers:
        layer = layers[fault.target % len(layers)]
        layer.lag_s = 0.7
        world.loop.later(1.0 + fault.lasts, setattr, layer, "lag_s", 0.0)
        for number in range(6):
            client = world.clients[number % len(world.clients)]
            world.loop.later((1.0 + fault.lasts) * world.chance.random(), client.hop)


#: How often each happens, beside the others, and what it does.
FAULTS: dict[str, tuple[int, Callable[[World, Fault], None]]] = {
    "kill": (4, kill),
    "kill the leader": (4, kill_leader),
    "freeze": (3, freeze),
    "freeze the leader": (4, freeze_leader),
    "SIGTERM": (3, terminate),
    "rolling restart": (1, roll),
    "clock step": (2, step_clock),
    "clock step of all": (2, step_all_clocks),
    "disk full": (1, fill_disk),
    "slow sources": (1, slow_sources),
    "database hangs": (3, hang_database),
    "database refuses": (3, stop_database),
    "database slow": (2, slow_database),
    "start without history": (2, restart_without_history),
    "Redis hangs": (3, hang_redis),
    "Redis is killed": (4, kill_redis),
    "Redis is flushed": (2, flush_redis),
    "last publication lost": (2, lose_last_publication),
    "packets lost": (3, lose_packets),
    "packets late": (3, delay_packets),
    "subscription cut": (3, cut_layer),
    "messages lost": (3, lose_messages),
    "messages late": (3, delay_messages),
}
SCALED = [
    "Redis hangs",
    "Redis is killed",
    "Redis is flushed",
    "last publication lost",
    "packets lost",
    "packets late",
    "subscription cut",
    "messages lost",
    "messages late",
]
EMBEDDED = [kind for kind in FAULTS if kind not in SCALED]
