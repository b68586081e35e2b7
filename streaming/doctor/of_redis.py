"""The stream's Redis, and the AI engine's: whether they answer, agree on the time, and keep what they are given."""

import time
from collections.abc import Iterator

from django.conf import settings
from django.db import Error as DatabaseError
from redis import Redis
from redis.exceptions import RedisError

from metrics.catalogue import SourceKind
from metrics.models import DataSource
from metrics.sources.redis import safe_address
from streaming.doctor.finding import Finding
from streaming.doctor.of_database import compare_clocks

PATIENCE_S = 2


def examine_streams_redis() -> Iterator[Finding]:
    """The channel layer and the lease."""
    if not settings.REDIS_URL:
        yield Finding("Redis", "not used: one process, channel layer in memory (REDIS_URL)")
        return
    yield from examine_redis("Redis", settings.REDIS_URL, "REDIS_URL", keeps=True)


def examine_metrics_redis() -> Iterator[Finding]:
    """Where the AI engine writes, where a group reads it."""
    try:
        is_used = DataSource.objects.filter(kind=SourceKind.REDIS).exists()
    except DatabaseError:
        is_used = True
    if not is_used:
        yield Finding("metrics' Redis", "not used: no group's source is Redis")
    elif settings.METRICS_REDIS_URL == settings.REDIS_URL:
        yield Finding("metrics' Redis", "the same; when it hangs, the stream does", "")
    else:
        yield from examine_redis("metrics' Redis", settings.METRICS_REDIS_URL, "METRICS_REDIS_URL", keeps=False)


def examine_redis(subject: str, url: str, variable: str, *, keeps: bool) -> Iterator[Finding]:
    """One Redis. `keeps`: whether what is written there must stay as long as it was meant to."""
    address = safe_address(url)
    try:
        with Redis.from_url(url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S) as redis:
            before = time.time()
            seconds, microseconds = redis.time()
            ahead_s = (before + time.time()) / 2 - seconds - microseconds / 1e6
            memory = redis.info("memory")
    except (RedisError, OSError) as error:
        yield Finding(subject, f"{address} does not answer: {error}", f"start it, or correct {variable}")
        return
    policy, most = memory.get("maxmemory_policy", ""), memory.get("maxmemory", 0)
    if keeps and most and policy.startswith("allkeys"):
        said = (
            f"{address} throws keys away when its {most / 1e6:.0f} MB are full ({policy}): the lease, the last minutes"
        )
        yield Finding(subject, said, "redis-cli CONFIG SET maxmemory-policy noeviction, and in its configuration")
    else:
        yield Finding(subject, f"{address} answers, uses {memory.get('used_memory', 0) / 1e6:.0f} MB")
    yield compare_clocks(f"{subject}'s clock", ahead_s)
