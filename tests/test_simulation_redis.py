"""The simulated scripts against the real ones on a real Redis: what simulation proves is so in the product."""

import asyncio
import random
from typing import Any

import pytest
from redis.exceptions import ResponseError

from streaming.publishing.redis_lease_store import RELEASE, RELEASED_KEY, TAKE, TERM_KEY
from streaming.publishing.redis_outlet import LEASE_KEY, PUBLISH, STREAM_KEY
from streaming.publishing.redis_script import PromptRedis
from tests.processes import Redis
from tests.simulation.redis_state import RedisState

#: Long enough that no lease ends by itself here: what its end does is asked by a command of its own.
TTL_MS = 600_000
NOW_MS = 1_735_000_000_000.0


class Pair:
    """A real Redis and a simulated one, which are asked the same."""

    def __init__(self, url: str) -> None:
        self.real = PromptRedis(url, patience_s=5)
        self.state = RedisState()
        self.sent: list[Any] = []

    async def ask_real(self, script: Any, keys: tuple[str, ...], *arguments: Any) -> Any:
        try:
            return await self.real.run(script, keys, *arguments)
        except ResponseError:
            return "refused"

    async def take(self, token: str, known: int) -> None:
        real = await self.ask_real(TAKE, (LEASE_KEY, TERM_KEY, STREAM_KEY), token, TTL_MS, known)
        simulated = self.state.take(NOW_MS, token, TTL_MS, known)
        assert (real[0], len(real)) == (simulated[0], len(simulated))

    async def release(self, token: str) -> None:
        real = await self.ask_real(RELEASE, (LEASE_KEY, RELEASED_KEY), token)
        assert real == self.state.release(NOW_MS, token)

    async def publish(self, *arguments: Any) -> None:
        arguments = (*arguments, 1000, "address", b"message")
        real = await self.ask_real(PUBLISH, (LEASE_KEY, STREAM_KEY), *arguments)
        try:
            simulated: Any = self.state.publish(NOW_MS, arguments, self.sent.append)
        except ResponseError:
            simulated = "refused"
        assert real == simulated

    async def compare_streams(self, count: int, first: int, last: str) -> None:
        async with self.real.turn() as redis:
            newest = await redis.xrevrange(STREAM_KEY, count=count)
            between = await redis.xrange(STREAM_KEY, str(first), last)
        assert newest == self.state.newest(count)
        assert between == self.state.between(str(first), last)

    async def end_lease(self) -> None:
        async with self.real.turn() as redis:
            await redis.delete(LEASE_KEY)
        self.state.lease = None

    async def flush(self) -> None:
        async with self.real.turn() as redis:
            await redis.flushall()
        self.state = RedisState()

    async def lose_newest(self) -> None:
        """As a replica that is behind takes over."""
        if not self.state.entries:
            return
        lost = self.state.entries.pop()
        async with self.real.turn() as redis:
            await redis.xdel(STREAM_KEY, f"{lost.id}-0")
            before = self.state.entries[-1].id if self.state.entries else 0
            await redis.execute_command("XSETID", STREAM_KEY, f"{before}-0")  # type: ignore[no-untyped-call]


async def play(pair: Pair, chance: random.Random, steps: int) -> None:
    """Random commands, most of which make sense."""
    await pair.flush()
    for number in range(1, steps):
        token = chance.choice(("a", "b"))
        state = pair.state
        head = state.entries[-1].id if state.entries else 0
        match chance.choices(("take", "release", "publish", "read", "end", "flush", "lose"), (6, 1, 12, 2, 2, 0.3, 1))[
            0
        ]:
            case "take":
                await pair.take(token, chance.choice((0, 0, state.term, state.term + 1)))
            case "release":
                await pair.release(token)
            case "publish":
                holder = chance.choice((state.lease or "1:a", state.lease or "1:b", f"{state.term}:{token}"))
                previous = chance.choice(("", str(head), str(head), str(head), str(head + 1), str(max(head - 1, 0))))
                id_ = chance.choice((max(head, 1), head + 1, head + 1, head + 1, head + 3, max(head - 1, 1)))
                text = chance.choice(("same", f"text {number}"))
                await pair.publish(holder, previous, id_, chance.choice((state.term, 1)), text)
            case "read":
                await pair.compare_streams(chance.randrange(1, 5), max(head - 2, 0), chance.choice(("+", str(head))))
            case "end":
                await pair.end_lease()
            case "flush":
                await pair.flush()
            case "lose":
                await pair.lose_newest()
    await pair.compare_streams(1000, 0, "+")


@pytest.mark.parametrize("seed", range(5))
def test_the_simulated_scripts_answer_as_the_real_ones(redis: Redis, seed: int) -> None:
    async def scenario() -> None:
        pair = Pair(redis.url)
        for round_ in range(10):
            await play(pair, random.Random(f"{seed}.{round_}"), 80)
        await pair.real.aclose()

    asyncio.run(scenario())
