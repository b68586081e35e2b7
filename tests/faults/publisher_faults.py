"""What breaks publishers, and their clocks."""

import asyncio
import signal
from functools import partial

from tests.faults.clock import Clock
from tests.faults.stage import Cluster
from tests.faults.trial import Fault

#: Seconds: longer than the lease.
FROZEN_S = 6.0
HOUR = 3600
CLOCK_WRONG_S = 4.0


async def kill_leader(stage: Cluster) -> None:
    """Its supervisor starts it again at once."""
    leader = await stage.have_leader_and_standby()
    leader.kill()
    stage.spawn_publisher(leader)


async def freeze_leader(stage: Cluster) -> None:
    """It wakes up when another one leads."""
    leader = await stage.have_leader_and_standby()
    leader.send(signal.SIGSTOP)
    await asyncio.sleep(FROZEN_S)
    leader.send(signal.SIGCONT)


async def freeze_leader_beside_a_hung_redis(stage: Cluster) -> None:
    """The leader wakes up in the middle of a tick that had waited for values, with a lease that it had checked."""
    leader = await stage.have_leader_and_standby()
    stage.metrics_redis.send(signal.SIGSTOP)
    await asyncio.sleep(0.7)
    leader.send(signal.SIGSTOP)
    await asyncio.sleep(FROZEN_S)
    leader.send(signal.SIGCONT)
    await asyncio.sleep(1)
    stage.metrics_redis.send(signal.SIGCONT)
    # Hubs would refuse it as well, and history would: nothing of it may get so far.
    passed = [server.log.name for server in stage.servers if "still publishes in term" in server.output]
    assert not passed, f"what the frozen leader sent when it woke was published: {', '.join(passed)} said so"


async def end_leader(stage: Cluster) -> None:
    """As a deployment does."""
    leader = await stage.have_leader_and_standby()
    await asyncio.to_thread(leader.stop)
    stage.spawn_publisher(leader)


def clocks_of(stage: Cluster) -> list[Clock]:
    """A clock for each publisher; each call's are the same."""
    return [Clock(stage.folder / f"clock-{number}") for number in range(2)]


async def give_clocks(stage: Cluster) -> None:
    """Publishers whose clocks can be set, and are right."""
    await stage.set_clocks(clocks_of(stage))


async def give_clock_ahead(stage: Cluster) -> None:
    """One publisher is 5 s ahead."""
    clock = Clock(stage.folder / "clock-ahead")
    clock.set(5)
    await stage.set_clocks([clock, None])


async def take_clocks(stage: Cluster) -> None:
    """Publishers with the machine's clock again."""
    await stage.set_clocks([None, None])


async def step_clocks(stage: Cluster, offset_s: int) -> None:
    """Both publishers' clocks are set, and set right again."""
    for offset in (offset_s, 0):
        for clock in clocks_of(stage):
            clock.set(offset)
        await asyncio.sleep(CLOCK_WRONG_S)


KILLED = Fault("Leader killed", "kill -9 of the leading publisher", kill_leader, 10)
FROZEN = Fault("Leader frozen", f"SIGSTOP for {FROZEN_S:g} s, then SIGCONT", freeze_leader, 10)
FAULTS = [
    KILLED,
    FROZEN,
    Fault(
        "Leader frozen in a tick",
        f"the same, while the Redis of the metrics hangs ({FROZEN_S + 1.7:g} s)",
        freeze_leader_beside_a_hung_redis,
        3,
    ),
    Fault("Leader ended", "SIGTERM, as a deployment does", end_leader, 3),
    Fault(
        "Clock forward",
        f"publishers' clocks 1 h ahead for {CLOCK_WRONG_S:g} s, and right again",
        partial(step_clocks, offset_s=HOUR),
        prepare=give_clocks,
        clean_up=take_clocks,
    ),
    Fault(
        "Clock back",
        f"publishers' clocks 1 h behind for {CLOCK_WRONG_S:g} s, and right again",
        partial(step_clocks, offset_s=-HOUR),
        prepare=give_clocks,
        clean_up=take_clocks,
    ),
    Fault(
        "Clock ahead",
        "one of two publishers is 5 s ahead; kill -9 of the leader",
        kill_leader,
        4,
        prepare=give_clock_ahead,
        clean_up=take_clocks,
    ),
]
