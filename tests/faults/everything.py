"""Everything at once: faults at random, which overlap as they do on a bad day."""

import asyncio
import random
import signal
from collections.abc import Callable, Coroutine, Sequence

from tests.faults.stage import Cluster
from tests.faults.trial import Fault
from tests.processes import Process, Server

#: Seconds for which things break, and between two of them at most.
LASTS_S, PAUSE_S = 60.0, 1.5
SEED = 10

Break = Callable[[], Coroutine[None, None, None]]


async def freeze(process: Process, seconds: float) -> None:
    """SIGSTOP, and SIGCONT after a while."""
    process.send(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    process.send(signal.SIGCONT)


def list_breaks(stage: Cluster, dice: random.Random) -> dict[str, Sequence[Break]]:
    """What can happen to each thing; one at a time to the same thing."""

    def kill_publisher(publisher: Process) -> Break:
        async def kill() -> None:
            publisher.kill()
            stage.spawn_publisher(publisher)
            await asyncio.sleep(2)

        return kill

    def kill_server(server: Server) -> Break:
        async def kill() -> None:
            server.kill()
            await stage.start_server(server)

        return kill

    def restart_server(server: Server) -> Break:
        async def restart() -> None:
            await asyncio.sleep(1)  # until it has installed its handler of signals
            await stage.end_server(server)
            await stage.start_server(server)

        return restart

    async def restart_redis() -> None:
        stage.redis.kill()
        await asyncio.sleep(dice.uniform(0, 3))
        await asyncio.to_thread(stage.redis.start)

    async def restart_postgresql() -> None:
        await asyncio.to_thread(stage.postgresql.kill)
        await asyncio.sleep(dice.uniform(0, 8))
        await asyncio.to_thread(stage.postgresql.start)

    async def hang_postgresql() -> None:
        stage.postgresql.hang()
        await asyncio.sleep(dice.uniform(1, 6))
        stage.postgresql.go_on()

    async def hang_redis() -> None:
        await freeze(stage.redis, dice.uniform(0.5, 5))

    async def flush() -> None:
        await asyncio.to_thread(stage.redis.cli, "FLUSHALL")

    async def cut_subscriptions() -> None:
        await asyncio.to_thread(stage.redis.cli, "CLIENT", "KILL", "TYPE", "pubsub")

    async def reload_nginx() -> None:
        stage.nginx.send(signal.SIGHUP)

    breaks: dict[str, Sequence[Break]] = {
        "redis": [restart_redis, hang_redis, flush, cut_subscriptions],
        "postgresql": [restart_postgresql, hang_postgresql],
        "nginx": [reload_nginx],
    }
    for number, publisher in enumerate(stage.publishers):

        async def freeze_publisher(publisher: Process = publisher) -> None:
            await freeze(publisher, dice.uniform(0.5, 6))

        breaks[f"publisher {number}"] = [kill_publisher(publisher), freeze_publisher]
    for number, server in enumerate(stage.servers):
        breaks[f"server {number}"] = [kill_server(server), restart_server(server)]
    return breaks


async def break_everything(stage: Cluster) -> None:
    """At random moments something that is whole breaks; at the end everything is mended."""
    dice = random.Random(SEED)
    breaks = list_breaks(stage, dice)
    broken: dict[str, asyncio.Task[None]] = {}
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + LASTS_S
    try:
        while loop.time() < ends_at:
            await asyncio.sleep(dice.uniform(0, PAUSE_S))
            whole = [name for name in breaks if name not in broken or broken[name].done()]
            name = dice.choice(whole)
            if name in broken:
                broken[name].result()
            chosen = dice.choice(breaks[name])
            with (stage.folder / "broken.log").open("a") as log:
                print(f"{loop.time() - ends_at + LASTS_S:5.1f} s  {name}: {chosen.__name__}", file=log)
            broken[name] = asyncio.create_task(chosen())
    finally:
        await asyncio.gather(*broken.values())


FAULTS = [
    Fault("Everything at once", f"something at random, every {PAUSE_S / 2:g} s for {LASTS_S:g} s", break_everything)
]
