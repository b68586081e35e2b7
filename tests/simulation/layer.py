"""The channel layer of one process: at most once, in order, through a connection that may break."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError

from tests.simulation.network import Path
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.redis import SimulatedRedis


class SimulatedLayer:
    """As much of FencedChannelLayer as the hub and the outlet use."""

    expiry = 1e9
    group_expiry = 1e9

    def __init__(self, redis: "SimulatedRedis", path: Path, process: Process) -> None:
        self.on_reconnect: Callable[[], None] = lambda: None
        self.is_connected = True
        self.lag_s = 0.0  # how much longer a message takes
        self.loss = 0.0  # how likely a message gets lost, without any break
        self._redis = redis
        self._path = path
        self.process = process
        self._channel = ""
        self._received: asyncio.Queue[Any] | None = None
        self._next_at = 0.0
        redis.layers.append(self)

    def address(self, group: str) -> str:
        return group

    def serialize(self, message: Any) -> Any:
        return message

    async def new_channel(self) -> str:
        self._channel = "channel"
        self._received = asyncio.Queue()
        return self._channel

    async def group_add(self, group: str, channel: str) -> None:
        """Raises RedisConnectionError where Redis is away."""
        await asyncio.sleep(self._path.delay_s())
        if not self._redis.is_up:
            raise RedisConnectionError("Connection refused")
        self.is_connected = True

    async def group_discard(self, group: str, channel: str) -> None:
        self._received = None

    async def receive(self, channel: str) -> Any:
        if self._received is None:
            raise RuntimeError("not a member")
        return await self._received.get()

    def carry(self, message: Any) -> None:
        """Bring a message that was published to this process, after those before, or lose it."""
        if not self.is_connected or self.process.is_dead or self._path.chance.random() < self.loss:
            return
        loop = self._path.loop
        self._next_at = max(self._next_at + 1e-6, loop.now + self.lag_s + self._path.delay_s())
        loop.later(self._next_at - loop.now, self._arrive, message)

    def _arrive(self, message: Any) -> None:
        if self.is_connected and self._received is not None and not self.process.is_dead:
            self._received.put_nowait(message)

    def cut(self) -> None:
        """The connection breaks, and with it what was on its way."""
        self.is_connected = False

    def mend_soon(self) -> None:
        """Connect again; the process hears of it."""
        self._path.loop.later(0.2 * self._path.chance.random(), self._mend)

    def _mend(self) -> None:
        if not self.is_connected and self._redis.is_up and not self.process.is_dead:
            self.is_connected = True
            self.process.soon(lambda: self.on_reconnect())
