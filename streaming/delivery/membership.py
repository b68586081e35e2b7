"""A membership in a channel-layer group: had as soon as the layer answers, kept, and given up."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from channels.layers import BaseChannelLayer
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from streaming.wire import GROUP

logger = logging.getLogger(__name__)

#: Seconds between two attempts to join.
RETRY_S = 1.0
#: Seconds that the goodbye may take.
LEAVING_PATIENCE_S = 1.0


@asynccontextmanager
async def join_group(layer: BaseChannelLayer, group: str = GROUP) -> AsyncIterator[str]:
    """The name of a channel of ours that gets whatever is sent to `group` while the block lasts.

    Waits for a layer that does not answer. Raises what the layer raises for any other reason.
    """
    channel = await join_when_there(layer, group)
    staying = asyncio.create_task(stay_member(layer, group, channel))
    try:
        yield channel
    finally:
        staying.cancel()
        await asyncio.wait([staying])
        await leave_group(layer, group, channel)


async def join_when_there(layer: BaseChannelLayer, group: str) -> str:
    """Join, where the layer is away when it is back; of the stream's both is said, once. Returns the channel's name."""
    loop = asyncio.get_running_loop()
    away_since: float | None = None
    while True:
        try:
            channel: str = await layer.new_channel()
            await layer.group_add(group, channel)
        except (OSError, RedisError) as error:
            if away_since is None and group == GROUP:
                away_since = loop.time()
                logger.error(
                    "No snapshot comes to this server: the channel layer is away (%s). Is the Redis at REDIS_URL up? "
                    "Trying again every %.0f s.",
                    "no answer in time" if isinstance(error, TimeoutError | RedisTimeoutError) else error,
                    RETRY_S,
                )
            await asyncio.sleep(RETRY_S)
        else:
            break
    if away_since is not None:
        logger.info("The channel layer is there, after %.1f s; snapshots come again.", loop.time() - away_since)
    return channel


async def stay_member(layer: BaseChannelLayer, group: str, channel: str) -> None:
    """Join again and again: layers forget members after `expiry` or `group_expiry`, however alive they are."""
    pause_s = min(getattr(layer, "expiry", 60), getattr(layer, "group_expiry", 86400)) / 3
    while True:
        await asyncio.sleep(pause_s)
        try:
            await layer.group_add(group, channel)
        except Exception as error:  # the layer is away; its return is seen at the next turn
            logger.debug("Could not renew the membership of %s: %s", group, error)


async def leave_group(layer: BaseChannelLayer, group: str, channel: str) -> None:
    """Leave nothing behind that the layer would go on to fill."""
    try:
        async with asyncio.timeout(LEAVING_PATIENCE_S):
            await layer.group_discard(group, channel)
    except Exception as error:  # the layer is away: the membership ends by itself
        logger.debug("Could not leave %s: %s", group, error)
