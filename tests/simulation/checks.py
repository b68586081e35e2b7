"""What has to hold when everything has come to rest: DESIGN's "what may never happen"."""

from itertools import pairwise

from tests.simulation.clients import Record, SimulatedClient
from tests.simulation.world import World


def check_all(world: World, healed_at: float) -> list[str]:
    """What is wrong with what happened in `world`; empty where nothing is."""
    watch = world.watch
    violations = [*watch.violations, *world.loop.failures]
    violations += check_kept(world)
    for client in world.clients:
        for ledger in client.ledgers:
            violations += check_ledger(world, client, ledger)
    violations += check_going_on(world, healed_at)
    return violations


def check_kept(world: World) -> list[str]:
    """What was published is stored, or somebody was told that it is not."""
    watch = world.watch
    missing = set(watch.published) - set(world.database.rows) - watch.refused - watch.given_up
    excused = watch.lost_to_all() | watch.abandoned | world.disk.refused
    return [f"{number} was published and not kept, and nobody said so" for number in sorted(missing - excused)]


def check_ledger(world: World, client: SimulatedClient, ledger: list[Record]) -> list[str]:
    """A ledger is a subsequence of the rows, without a hole that it was not told of."""
    rows, watch = world.database.rows, world.watch
    unkept = watch.refused | watch.given_up | watch.lost_to_all() | watch.abandoned | world.disk.refused
    violations = [
        f"{client.name} received {record.id}, which is not in the database"
        for record in ledger
        if record.id not in rows and record.id not in unkept
    ]
    for last, record in pairwise(ledger):
        if record.missed is None and record.previous == last.id:
            between = world.database.between(last.id, record.id, 1000)
            violations += [
                f"{client.name} received {record.id} after {last.id} without {message.id} and without a word"
                for message in between
                if message.id not in watch.abandoned
            ]
    return violations


def check_going_on(world: World, healed_at: float) -> list[str]:
    """Soon after everything was healed the stream goes on, and every client gets it."""
    watch, topology = world.watch, world.topology
    patience_s = topology.ttl_s + topology.interval_s + SLACK_S
    newest = max((publication.at for publication in watch.published.values()), default=0.0)
    if not any(healed_at < one.at <= healed_at + patience_s for one in watch.published.values()):
        return [f"nothing was published within {patience_s:.1f} s; the last was at {newest:.3f} s"]
    violations = []
    for client in world.clients:
        if not client.ledgers[-1] or client.ledgers[-1][-1].id != watch.head:
            last = client.ledgers[-1][-1].id if client.ledgers[-1] else None
            violations.append(f"{client.name} ends with {last}, the stream with {watch.head}")
    return violations


#: Seconds beyond lease and interval in which the stream has to go on: a process that fails is started after one.
SLACK_S = 2.0
