"""What breaks publishers, and their clocks."""

import asyncio
import signal

from tests.faults.clock import Clock
from tests.faults.stage import Cluster
from tests.faults.trial import Fault

#: Seconds: longer than the lease.
FROZEN_S = 6.0
HOUR = 3600


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


async def end_leader(stage: Cluster) -> None:
    """As a deployment does."""
    leader = await stage.have_leader_and_standby()
    await asyncio.to_thread(leader.stop)
    stage.spawn_publisher(leader)


async def step_clock(stage: Cluster, offset_s: int) -> None:
    """Both publishers' clocks are set, and set right again."""
    clocks = [Clock(stage.folder / f"clock-{number}") for number in range(2)]
    await stage.set_clocks(clocks)
    for offset in (offset_s, 0):
        for clock in clocks:
            clock.set(offset)
        await asyncio.sleep(4)


async def step_forward(stage: Cluster) -> None:
    """See step_clock."""
    await step_clock(stage, HOUR)


async def step_back(stage: Cluster) -> None:
    """See step_clock."""
    await step_clock(stage, -HOUR)


async def lead_by_turns_with_a_clock_ahead(stage: Cluster) -> None:
    """One publisher is 5 s ahead; each leads once."""
    ahead = Clock(stage.folder / "clock-ahead")
    ahead.set(5)
    await stage.set_clocks([ahead, None])
    for _ in range(2):
        leader = await stage.have_leader_and_standby()
        await asyncio.to_thread(leader.stop)
        stage.spawn_publisher(leader)
        await asyncio.sleep(2)
    await stage.set_clocks([None, None])


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
    Fault("Clock forward", "publishers' clocks 1 h ahead for 4 s, and back", step_forward),
    Fault("Clock back", "publishers' clocks 1 h behind for 4 s, and right again", step_back),
    Fault("Clock ahead", "one publisher 5 s ahead; they lead by turns", lead_by_turns_with_a_clock_ahead),
]
