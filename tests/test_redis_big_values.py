"""Values in Redis that are too big to be values: not fetched, called invalid, and explained."""

import asyncio
import re
import socket
import time
from collections.abc import Iterator

import pytest

from metrics.admin.explanations import explain
from metrics.catalogue import Group, SourceKind
from metrics.choices import DEFAULT_CHOICES
from metrics.reading import Problem
from metrics.sources.asker import Asker
from metrics.sources.redis import RedisSource, keys_of
from tests.processes import Redis

BIG = 50 * 1024 * 1024
#: Bytes of Redis's answer that are allowed for each key.
KILOBYTE = 1024


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis in which a metric's value, one that is a text, and a heartbeat are 50 MB each."""
    redis = Redis(tmp_path_factory.mktemp("redis")).start()
    for key in ("ai:latency", "ai:regime", "ai:updated_at"):
        redis.cli("SETRANGE", key, str(BIG - 1), "x")
    redis.set(ai__accuracy="0.9", ai__sharpe="")
    yield redis
    redis.stop()


def count_sent(redis: Redis) -> int:
    """How many bytes Redis has sent, to whomever."""
    with socket.create_connection(("127.0.0.1", redis.port), timeout=20) as connection:
        connection.sendall(b"INFO stats\r\n")
        answer = b""
        while b"total_net_output_bytes" not in answer or not answer.endswith(b"\r\n"):
            answer += connection.recv(65536)
    found = re.search(rb"total_net_output_bytes:(\d+)", answer)
    assert found
    return int(found[1])


def test_no_more_than_a_kilobyte_of_each_key_is_fetched_and_the_rest_is_invalid(redis: Redis) -> None:
    async def read() -> None:
        source = RedisSource(redis.url)
        before = count_sent(redis)
        readings = await source.read(DEFAULT_CHOICES, [Group.AI], 10)
        sent = count_sent(redis) - before
        await source.aclose()
        problems = readings[Group.AI].problems
        assert problems["latency"] == problems["regime"] == Problem.INVALID
        assert problems["sharpe"] == Problem.INVALID  # empty is not missing
        assert problems["accuracy"] == Problem.STALE  # behind such a heartbeat nothing has an age
        assert readings[Group.AI].values["accuracy"] == 0.9
        assert sent < KILOBYTE * len(keys_of(Group.AI)) + 8 * KILOBYTE  # and what INFO itself says

    asyncio.run(read())


def test_staff_are_told_that_it_is_too_big_and_nothing_more_is_fetched_for_them(redis: Redis) -> None:
    before = count_sent(redis)
    answers = Asker(redis.url).ask([SourceKind.REDIS], DEFAULT_CHOICES, time.time())
    assert count_sent(redis) - before < KILOBYTE * sum(len(keys_of(group)) for group in Group) + 8 * KILOBYTE
    reading = answers.readings[SourceKind.REDIS][Group.AI]
    found = {each.label: each.raw for each in explain(Group.AI, SourceKind.REDIS, reading, answers.redis, 30)}
    assert found["Latency"].endswith("… (too big: more than 256 bytes)")
    assert found["Heartbeat"].endswith("… (too big: more than 256 bytes)")
    assert max(map(len, found.values())) < 120
