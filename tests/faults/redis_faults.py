"""What breaks the Redis of the channel layer and the lease."""

import asyncio
import shutil
import signal

from tests.faults.stage import Cluster
from tests.faults.trial import Fault

HUNG_S = 8.0


async def restart_with_data(stage: Cluster) -> None:
    """Killed, away for 2 s, and back with what it had written to its disk."""
    stage.redis.kill()
    await asyncio.sleep(2)
    await asyncio.to_thread(stage.redis.start)


async def restart_empty(stage: Cluster) -> None:
    """As where nobody keeps its data: lease, term and stream are gone."""
    stage.redis.kill()
    for kept in [*stage.folder.glob("appendonly*"), *stage.folder.glob("dump.rdb")]:
        shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
    await asyncio.sleep(1)
    await asyncio.to_thread(stage.redis.start)


async def hang(stage: Cluster) -> None:
    """It takes everything and answers nothing."""
    stage.redis.send(signal.SIGSTOP)
    await asyncio.sleep(HUNG_S)
    stage.redis.send(signal.SIGCONT)


async def flush(stage: Cluster) -> None:
    """Somebody runs FLUSHALL."""
    await asyncio.to_thread(stage.redis.cli, "FLUSHALL")


async def kill_subscriptions(stage: Cluster) -> None:
    """What is published until the servers are back passes them by."""
    await asyncio.to_thread(stage.redis.cli, "CLIENT", "KILL", "TYPE", "pubsub")


RESTARTED = Fault("Redis killed", "kill -9, back with its data after 2 s", restart_with_data, 3)
FLUSHED = Fault("Redis flushed", "FLUSHALL", flush, 3)
FAULTS = [
    RESTARTED,
    Fault("Redis hung", f"SIGSTOP for {HUNG_S:g} s", hang, 2),
    FLUSHED,
    Fault("Redis lost", "kill -9, back without any data after 1 s", restart_empty, 2),
    Fault("Subscriptions cut", "CLIENT KILL TYPE pubsub", kill_subscriptions, 5),
]
