"""Reads the plain keys that the AI engine writes into Redis.

All keys of all groups in one round trip; whatever does not answer in time is `unreachable`, never invented. Of each key
no more is fetched than a value can be long: who writes 50 MB under one makes it `invalid`, and costs nobody anything.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from metrics.catalogue import Group, InvalidValueError, Metric, Value, metrics_of
from metrics.choices import Choices
from metrics.parsing import MOST_BYTES, parse_number, parse_value
from metrics.reading import Problem, Reading

logger = logging.getLogger(__name__)

#: What Redis answered for a key: its first MOST_BYTES bytes, and one more where there is one, which no value has. None
#: where there is no such key, an error where it holds another type.
Answer = bytes | Exception | None


def heartbeat_key(group: Group) -> str:
    """The key where a group's producer may say when it last wrote, in Unix seconds."""
    return f"{group}:updated_at"


def safe_address(url: str) -> str:
    """A Redis URL for people and logs: without user, password and options."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "localhost"
    return f"{parts.scheme}://{host}:{parts.port or 6379}{parts.path}"


class RedisSource:
    """One connection to the Redis at `url` (see redis.Redis.from_url); opened at the first read, reopened by itself."""

    #: Since when which address has not answered (monotonic seconds): told once a process, whoever asks how often.
    unreachable_since: ClassVar[dict[str, float]] = {}

    def __init__(self, url: str) -> None:
        self.address = safe_address(url)
        # Deadlines are ours (asyncio.timeout below); redis-py tries once more where a kept connection was dead.
        self._client: Redis = Redis.from_url(
            url, socket_timeout=None, socket_connect_timeout=None, retry=Retry(NoBackoff(), 1)
        )

    async def read(self, choices: Choices, groups: Collection[Group], deadline_s: float) -> Mapping[Group, Reading]:
        """Return one reading per group, all from a single round trip of at most `deadline_s` seconds."""
        try:
            answers = await self.fetch(groups, deadline_s)
        except (TimeoutError, OSError, RedisError) as error:
            self._note_unreachable(error, deadline_s)
            return {group: Reading.failed(group, Problem.UNREACHABLE) for group in groups}
        self._note_reachable()
        now = time.time()
        return {group: compose_reading(group, answers, now=now, max_age_s=choices[group].max_age_s) for group in groups}

    async def fetch(self, groups: Collection[Group], deadline_s: float) -> dict[str, Answer]:
        """What Redis holds at every key of `groups`, unjudged, in one round trip.

        Raises TimeoutError after `deadline_s` seconds, OSError or RedisError where Redis does not answer.
        """
        keys = [key for group in groups for key in keys_of(group)]
        async with asyncio.timeout(deadline_s):
            return dict(zip(keys, await self._get(keys), strict=True))

    async def _get(self, keys: list[str]) -> list[Answer]:
        # Not GET, which fetches all; not MGET, which answers null for a key of another type: that is `invalid`, not
        # `missing`. GETRANGE answers nothing for no key as for an empty one, so EXISTS is asked at the same moment.
        async with self._client.pipeline(transaction=True) as pipeline:
            for key in keys:
                pipeline.exists(key)
                pipeline.getrange(key, 0, MOST_BYTES)  # the last one included
            found: list[Any] = await pipeline.execute(raise_on_error=False)
        for answer in found:  # refusals of the whole connection (NOAUTH, LOADING) are not about a key's type
            if isinstance(answer, ResponseError) and not str(answer).startswith("WRONGTYPE"):
                raise answer
        return [part if exists else None for exists, part in zip(found[::2], found[1::2], strict=True)]

    def _note_unreachable(self, error: Exception, deadline_s: float) -> None:
        if self.address not in self.unreachable_since:
            self.unreachable_since[self.address] = time.monotonic()
            why = f"no answer within {deadline_s:.2f} s" if isinstance(error, TimeoutError) else str(error).rstrip(".")
            logger.warning(
                "Redis at %s is unreachable: %s. Its metrics are null; asking at each tick.", self.address, why
            )

    def _note_reachable(self) -> None:
        since = self.unreachable_since.pop(self.address, None)
        if since is not None:
            logger.info("Redis at %s is back after %.0f s.", self.address, time.monotonic() - since)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def keys_of(group: Group) -> list[str]:
    """Every Redis key that is read for `group`."""
    return [key for metric in metrics_of(group) for key in metric.redis_keys] + [heartbeat_key(group)]


def compose_reading(group: Group, answers: Mapping[str, Answer], *, now: float, max_age_s: float) -> Reading:
    """Turn Redis's answers into a reading; where the heartbeat is older than `max_age_s`, its values are stale."""
    values: dict[str, Value] = {}
    problems: dict[str, Problem] = {}
    observed, is_stale = judge_heartbeat(answers[heartbeat_key(group)], now=now, max_age_s=max_age_s)
    for metric in metrics_of(group):
        try:
            values[metric.key] = pick_value(metric, answers)
        except InvalidValueError:
            values[metric.key] = None
            problems[metric.key] = Problem.INVALID
            continue
        if values[metric.key] is None:
            problems[metric.key] = Problem.MISSING
        elif is_stale:
            problems[metric.key] = Problem.STALE
    return Reading(values, problems, observed)


def find_key(metric: Metric, answers: Mapping[str, Answer]) -> str:
    """The first of the metric's keys that exists; where none does, the first that is asked for."""
    return next((key for key in metric.redis_keys if answers[key] is not None), metric.redis_keys[0])


def pick_value(metric: Metric, answers: Mapping[str, Answer]) -> Value:
    """The value under the first of the metric's keys that exists, None where none does; raises InvalidValueError."""
    key = find_key(metric, answers)
    answer = answers[key]
    if isinstance(answer, Exception):
        raise InvalidValueError(f"{key} does not hold a string")
    return None if answer is None else parse_value(metric, answer)


def judge_heartbeat(answer: Answer, *, now: float, max_age_s: float) -> tuple[float | None, bool]:
    """Return when the producer says it wrote (None: it does not say) and whether that makes its values stale.

    A heartbeat that is not a time, or that lies further ahead than `max_age_s`, tells no age: what hides behind it may
    be old, so it is stale.
    """
    if answer is None:
        return None, False
    try:
        if isinstance(answer, Exception):
            raise InvalidValueError("not a string")
        observed = float(parse_number(answer))
    except (InvalidValueError, OverflowError):
        return None, True
    if abs(observed) > 1e11:  # not Unix seconds: milliseconds, say
        return None, True
    return round(observed, 3), abs(now - observed) > max_age_s
