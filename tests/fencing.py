"""What the tests of the lease and of the outlet share: publishers' seams on a real Redis, and a path to it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from metrics.snapshot import EncodedSnapshot
from streaming.publishing.layer import FencedChannelLayer
from streaming.publishing.lease import RedisLease
from streaming.publishing.redis_lease_store import RedisLeaseStore
from streaming.publishing.redis_outlet import RedisOutlet
from tests.processes import Redis

TEXT = '{"timestamp":1.0,"text":"é"}'


def make_layer(url: str, **options: Any) -> FencedChannelLayer:
    """A channel layer as settings make it."""
    return FencedChannelLayer(hosts=[{"address": url, "health_check_interval": 5, "socket_timeout": 2, **options}])


def make_message(id_: int, previous: int | None, term: int = 1) -> EncodedSnapshot:
    return EncodedSnapshot(id_, previous, term, TEXT)


class Actor:
    """What a publisher has: a lease of its own token, and an outlet."""

    def __init__(self, url: str, token: str, *, ttl_s: float = 4.0, patience_s: float = 1.0) -> None:
        self.layer = make_layer(url)
        self.outlet = RedisOutlet(url, self.layer, patience_s=patience_s)
        self.lease = RedisLease(RedisLeaseStore(url, patience_s=patience_s), ttl_s=ttl_s, token=token)

    async def aclose(self) -> None:
        await self.lease.give_back()
        await self.outlet.aclose()
        await self.layer.flush()


@asynccontextmanager
async def actors(url: str, *tokens: str, **options: float) -> AsyncIterator[list[Actor]]:
    """An actor of each token."""
    made = [Actor(url, token, **options) for token in tokens]
    try:
        yield made
    finally:
        for actor in made:
            await actor.aclose()


async def until(claim: Callable[[], Any], patience_s: float = 15) -> None:
    """Ask `claim` again and again until it is true; what it returns is awaited where it can be."""
    async with asyncio.timeout(patience_s):
        while True:
            answer = claim()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.02)


def freeze(redis: Redis) -> None:
    redis.send(signal.SIGSTOP)


def thaw(redis: Redis) -> None:
    redis.send(signal.SIGCONT)


class Path:
    """A TCP path to a port, on which `swallow` makes the connections of now silent, without closing them."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._silent: set[asyncio.StreamWriter] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> "Path":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def swallow(self) -> None:
        """From now on nothing passes on the connections that there are."""
        self._silent |= self._writers

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, far_writer}
        for source, target in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pass(source, target))
            self._tasks.add(task)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if target not in self._silent:
                target.write(data)
        target.close()
