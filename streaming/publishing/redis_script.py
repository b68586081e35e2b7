"""Asking the stream's Redis: one Lua script at a time, each with a short deadline, and errors that say what to do.

redis-py alone would wait for 5 s and then speak of "()". What is asked here is asked again soon by who asks, so nothing
that timed out is tried twice behind its back.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

#: What may come out of a question to Redis.
REDIS_ERRORS = (OSError, RedisError, TimeoutError)

#: What Redis before 7 puts before its own words where a script's line was refused.
SCRIPT_LINE = re.compile(r"^.*@user_script: ?\d+: -?")


def describe_failure(error: BaseException) -> str:
    """What went wrong, in words that somebody can act on; never empty, as many an exception's own text is."""
    text = str(error).strip().rstrip(".")
    if isinstance(error, TimeoutError | RedisTimeoutError):
        return f"no answer from Redis in time{': ' + text if text else ''}; it hangs, or the way to it does"
    if isinstance(error, ResponseError) and not isinstance(error, RedisConnectionError):
        code = str(getattr(error, "status_code", None) or "")  # redis-py cuts `OOM` and its like off the text
        words = (code if code != "ERR" else "", SCRIPT_LINE.sub("", text))
        return f"Redis refuses: {' '.join(filter(None, words))}"
    return text or type(error).__name__


class Script:
    """A Lua script, and the digest by which Redis knows it once it has seen it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


class PromptRedis:
    """A Redis client for one question at a time, none of which takes longer than `patience_s` seconds.

    It connects when it is asked, and anew after every failure. A connection that turns out to be closed (Redis was
    restarted) is replaced and asked again: a script that comes twice must do its work once. Raises one of REDIS_ERRORS;
    after a TimeoutError nobody knows whether Redis has done, or is yet to do, what it was asked.
    """

    def __init__(self, url: str, *, patience_s: float) -> None:
        self.patience_s = patience_s
        self._redis: Redis = Redis.from_url(
            url,
            socket_timeout=patience_s,
            socket_connect_timeout=patience_s,
            **({} if url.startswith("unix:") else {"socket_keepalive": True}),  # a socket of this machine takes none
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Redis]:
        """The client, for one question; the wait for the one before counts."""
        async with asyncio.timeout(self.patience_s), self._one_at_a_time:
            yield self._redis

    async def run(self, script: Script, keys: tuple[str, ...], *arguments: str | bytes | int) -> Any:
        """What the script returns: one round trip, two where Redis has not seen it yet (it was restarted)."""
        async with self.turn() as redis:
            try:
                return await redis.evalsha(script.digest, len(keys), *keys, *arguments)
            except NoScriptError:
                return await redis.eval(script.source, len(keys), *keys, *arguments)

    async def aclose(self) -> None:
        """Close the connection; asking again opens one anew."""
        async with asyncio.timeout(self.patience_s):
            await self._redis.aclose()
