"""The websockets peer's server: `python -m benchmarks.peers.websockets_server PORT INTERVAL_S`."""

import asyncio
import json
import sys

from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks.peers.payload import make_payload
from benchmarks.peers.peer import PING_INTERVAL_S

connections: set[ServerConnection] = set()


async def hold(connection: ServerConnection) -> None:
    """Keep a connection among those that are sent to until it closes."""
    connections.add(connection)
    try:
        await connection.wait_closed()
    finally:
        connections.discard(connection)


async def main() -> None:
    """Serve, and broadcast a payload at every tick."""
    port, interval_s = int(sys.argv[1]), float(sys.argv[2])
    loop = asyncio.get_running_loop()
    previous = None
    async with serve(hold, "127.0.0.1", port, ping_interval=PING_INTERVAL_S):
        due = loop.time()
        while True:
            payload = make_payload(previous, interval_s)
            broadcast(connections, json.dumps(payload, separators=(",", ":")))
            previous = payload["id"]
            due = max(due + interval_s, loop.time())
            await asyncio.sleep(due - loop.time())


if __name__ == "__main__":
    asyncio.run(main())
