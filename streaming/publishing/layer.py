"""The channel layer of channels_redis, with what its users need to know of it and what it forgot.

It tells how its group messages are addressed, for the script that publishes them (streaming.publishing.redis_outlet).
And its connection is attentive: one that is lost is made anew at once and said once, not after a second and with a
traceback at each try; one that is silent although Redis should answer (a path that swallows packets, where TCP alone
takes minutes to notice) is given up; and whoever wants to hear of a new connection does, for what was published while
there was none has to be fetched.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer, RedisSingleShardConnection
from redis.asyncio.client import PubSub
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as RedisConnectionError

from streaming.publishing.redis_script import REDIS_ERRORS, describe_failure

logger = logging.getLogger(__name__)

#: Seconds between two attempts to connect.
RETRY_S = 0.2
#: Seconds that one look for a message takes.
LOOK_S = 0.1
#: Seconds that the answer to a health check (`health_check_interval`) may take before the connection counts as dead.
DEAF_AFTER_S = 10.0


class FencedChannelLayer(RedisPubSubChannelLayer):
    """RedisPubSubChannelLayer on one host. `on_reconnect` is called when this process receives again after a loss."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_reconnect: Callable[[], None] = lambda: None

    def address(self, group: str) -> str:
        """The Redis channel that a group's members are subscribed to; `serialize` makes what goes there."""
        address: str = self._get_layer()._get_group_channel_name(group)
        return address

    def _get_layer(self) -> RedisPubSubLoopLayer:
        is_new = asyncio.get_running_loop() not in self._layers
        layer = super()._get_layer()
        if is_new:
            layer._shards = [AttentiveConnection(shard.host, layer) for shard in layer._shards]
        return layer


class AttentivePubSub(PubSub):
    """Remembers that it was connected anew."""

    was_reconnected = False

    async def on_connect(self, connection: Connection) -> None:
        """Called by redis-py for each connection but the first."""
        await super().on_connect(connection)
        self.was_reconnected = True


class AttentiveConnection(RedisSingleShardConnection):
    """The connection to one Redis; its parent runs `_do_receiving` in a task and cancels it at the end."""

    def __init__(self, host: dict[str, Any], channel_layer: RedisPubSubLoopLayer) -> None:
        super().__init__(host, channel_layer)
        self._lost_at: float | None = None  # on the loop's clock
        self._unanswered_s = 0.0

    def _ensure_redis(self) -> None:
        is_new = self._redis is None
        super()._ensure_redis()
        if is_new:
            self._pubsub = AttentivePubSub(self._redis.connection_pool)

    async def _do_receiving(self) -> None:
        while True:
            try:
                await self._receive_one()
            except REDIS_ERRORS as error:
                if self._lost_at is None:
                    self._lost_at = asyncio.get_running_loop().time()
                    logger.warning("The channel layer lost Redis (%s); connecting again.", describe_failure(error))
                if not self._pubsub.was_reconnected:  # redis-py tries once before it raises
                    await asyncio.sleep(RETRY_S)
            except Exception:
                logger.exception("The channel layer cannot receive; trying again in a second.")
                await asyncio.sleep(1)

    async def _receive_one(self) -> None:
        """Look for a message. Raises RedisError or OSError where the connection is lost."""
        if self._pubsub is None or not self._pubsub.subscribed:
            await asyncio.sleep(LOOK_S)
            return
        if self._pubsub.was_reconnected:
            self._pubsub.was_reconnected = False
            self._note_return()
        message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=LOOK_S)
        self._receive_message(message)
        await self._give_up_if_deaf(self._pubsub.connection)

    def _note_return(self) -> None:
        now = asyncio.get_running_loop().time()
        away_s = 0.0 if self._lost_at is None else now - self._lost_at
        self._lost_at = None
        self._unanswered_s = 0.0
        logger.info("The channel layer receives again, after %.1f s.", away_s)
        self.channel_layer.channel_layer.on_reconnect()

    async def _give_up_if_deaf(self, connection: Any) -> None:
        """Close a connection whose health checks stay unanswered.

        The time is counted in looks, not by the clock: a process that was frozen has first to read what came meanwhile.
        """
        is_overdue = connection.next_health_check < asyncio.get_running_loop().time()  # each answer moves it on
        self._unanswered_s = self._unanswered_s + LOOK_S if connection.health_check_interval and is_overdue else 0.0
        if self._unanswered_s > DEAF_AFTER_S:
            self._unanswered_s = 0.0
            await connection.disconnect(nowait=True)
            raise RedisConnectionError(f"silent for {DEAF_AFTER_S:.0f} s though asked")
