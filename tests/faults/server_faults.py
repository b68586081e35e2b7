"""What breaks servers, and nginx before them."""

import asyncio
import signal

from tests.faults.stage import Cluster
from tests.faults.trial import Fault


async def restart_all(stage: Cluster) -> None:
    """One after the other, as a deployment does."""
    for server in stage.servers:
        await stage.end_server(server)
        await stage.start_server(server)
        await asyncio.sleep(1)


async def kill_all(stage: Cluster) -> None:
    """One after the other, without a goodbye to its clients."""
    for server in stage.servers:
        server.kill()
        await stage.start_server(server)


async def kill_all_without_a_database(stage: Cluster) -> None:
    """Servers that just started know nothing, and cannot ask history."""
    await asyncio.to_thread(stage.postgresql.stop, "fast")
    try:
        for server in stage.servers:
            server.kill()
            await stage.start_server(server)
    finally:
        await asyncio.to_thread(stage.postgresql.start)


async def freeze_one(stage: Cluster) -> None:
    """Its clients' sockets stay open; it wakes up behind everybody else."""
    await stage.freeze_server(stage.servers[0], 5)


async def reload_nginx(stage: Cluster) -> None:
    """Old workers close their clients' connections after 2 s."""
    stage.nginx.send(signal.SIGHUP)
    await asyncio.sleep(2.5)


async def restart_nginx(stage: Cluster) -> None:
    """All connections through it break."""
    await asyncio.to_thread(stage.nginx.stop)
    await asyncio.to_thread(stage.nginx.start)


FAULTS = [
    Fault("Rolling restart", "SIGTERM and start of each server, under 500 clients", restart_all, clients=500),
    Fault("Servers killed", "kill -9 and start of each server", kill_all, 2),
    Fault("Servers killed without a database", "the same while PostgreSQL is stopped", kill_all_without_a_database),
    Fault("Server frozen", "SIGSTOP of one server for 5 s", freeze_one),
    Fault("nginx reloaded", "SIGHUP; half of the clients come through nginx", reload_nginx, 2, through_proxy=True),
    Fault("nginx restarted", "SIGTERM and start", restart_nginx, 2, through_proxy=True),
]
