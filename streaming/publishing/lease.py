"""What lets exactly one of several publishers publish."""

import asyncio
import logging
import time
from typing import Protocol

from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import LockError, RedisError

logger = logging.getLogger(__name__)


class Lease(Protocol):
    """Asked at every tick, kept alive by a task of the publisher's."""

    @property
    def is_held(self) -> bool:
        """Whether this publisher may publish now."""

    async def take(self) -> None:
        """Take the lease where it is free, renew it where it is ours."""

    async def keep(self) -> None:
        """Take and renew the lease until cancelled; then give it back."""

    async def give_back(self) -> None:
        """Let another publisher have the lease at once, and close the connection."""


class LocalLease:
    """For the in-memory channel layer: whoever publishes there is alone."""

    is_held = True

    async def take(self) -> None:
        """Nothing to take."""

    async def keep(self) -> None:
        """Nothing to renew."""

    async def give_back(self) -> None:
        """Nothing to give back."""


class RedisLease:
    """A lock in Redis with a time to live (redis-py's Lock: SET NX PX, renewed and released by compare-and-set).

    `is_held` looks at this machine's monotonic clock, so a publisher that was frozen knows that it has lost the lease
    before it asks. When the holder is killed, another one takes over within `ttl_s` plus a renewal (`ttl_s / 4`).
    """

    NAME = "quantum:publisher"

    def __init__(self, url: str, *, ttl_s: float = 4.0) -> None:
        self._ttl_s = ttl_s
        self._redis: Redis = Redis.from_url(url, socket_timeout=ttl_s / 4, socket_connect_timeout=ttl_s / 4)
        self._lock = Lock(self._redis, self.NAME, timeout=ttl_s, thread_local=False)
        self._held_until = 0.0
        self._failing = False

    @property
    def is_held(self) -> bool:
        return time.monotonic() < self._held_until

    async def keep(self) -> None:
        """See Lease.keep."""
        try:
            while True:
                await self.take()
                await asyncio.sleep(self._ttl_s / 4)
        finally:
            await self.give_back()

    async def take(self) -> None:
        """See Lease.take; where Redis does not answer, the lease is held for as long as it lasts."""
        asked = time.monotonic()
        was_held = self.is_held
        try:
            async with asyncio.timeout(self._ttl_s / 4):
                if not await self._renew():
                    if not await self._lock.acquire(blocking=False):
                        self._held_until = 0.0
                        if was_held:
                            logger.warning("Another publisher has taken the lease; this one stands by.")
                        return
                    logger.info("This publisher holds the lease.")
        except (OSError, RedisError, TimeoutError) as error:
            if not self._failing:
                logger.warning("The lease cannot be renewed (%s); trying again.", error or type(error).__name__)
            self._failing = True
        else:
            self._failing = False
            self._held_until = asked + self._ttl_s

    async def _renew(self) -> bool:
        """True where the lease was still ours and is ours for another `ttl_s`."""
        if self._lock.local.token is None:
            return False
        try:
            return bool(await self._lock.reacquire())
        except LockError:
            self._lock.local.token = None
            return False

    async def give_back(self) -> None:
        """See Lease.give_back; where Redis does not answer, the lease ends by itself."""
        self._held_until = 0.0
        try:
            async with asyncio.timeout(1):
                if self._lock.local.token is not None:
                    await self._lock.release()
        except (OSError, RedisError, TimeoutError) as error:
            logger.info("The lease could not be given back (%s); it ends by itself.", error or type(error).__name__)
        finally:
            await self._redis.aclose()
