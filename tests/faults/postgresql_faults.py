"""What breaks PostgreSQL."""

import asyncio
from functools import partial

from tests.faults.stage import Cluster
from tests.faults.trial import Fault


async def stop(stage: Cluster, seconds: float) -> None:
    """Shut down, and back after a while."""
    await asyncio.to_thread(stage.postgresql.stop, "fast")
    await asyncio.sleep(seconds)
    await asyncio.to_thread(stage.postgresql.start)


async def kill(stage: Cluster) -> None:
    """It recovers from its log when it starts again."""
    await asyncio.to_thread(stage.postgresql.kill)
    await asyncio.sleep(2)
    await asyncio.to_thread(stage.postgresql.start)


async def hang(stage: Cluster, seconds: float) -> None:
    """Connections stay open, and nobody answers on them."""
    stage.postgresql.hang()
    await asyncio.sleep(seconds)
    stage.postgresql.go_on()


async def terminate(stage: Cluster) -> None:
    """All connections are closed under way."""
    await asyncio.to_thread(stage.postgresql.terminate_connections)


async def lose_leader_while_stopped(stage: Cluster) -> None:
    """What the killed publisher had not written yet is in Redis and in its journal only."""
    leader = await stage.have_leader_and_standby()
    await asyncio.to_thread(stage.postgresql.stop, "fast")
    await asyncio.sleep(3)
    leader.kill()
    stage.spawn_publisher(leader)
    await asyncio.sleep(6)
    await asyncio.to_thread(stage.postgresql.start)


STOPPED_SHORTLY = Fault("PostgreSQL stopped", "fast shutdown for 20 s", partial(stop, seconds=20))
FAULTS = [
    Fault("PostgreSQL stopped", "fast shutdown for 60 s", partial(stop, seconds=60)),
    Fault("PostgreSQL killed", "kill -9 of all its processes, back after 2 s", kill, 2),
    Fault("PostgreSQL hung", "SIGSTOP of all its processes for 12 s", partial(hang, seconds=12)),
    Fault("Connections terminated", "pg_terminate_backend of all", terminate, 3),
    Fault(
        "Leader killed without a database", "PostgreSQL stopped, the leader killed 3 s later", lose_leader_while_stopped
    ),
]
