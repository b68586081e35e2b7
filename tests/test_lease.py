"""The lease: one holder, a number for each tenure that only rises, and words for what is wrong."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from redis import Redis as SyncRedisClient
from redis.asyncio import Redis as RedisClient

from streaming.publishing.lease import LocalLease, RedisLease, Taken, read_boot_clock
from streaming.publishing.redis_lease_store import RedisLeaseStore
from tests.fencing import Actor, actors, freeze, thaw, until
from tests.processes import Redis


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(run())


def test_one_holds_it_and_the_next_tenure_has_a_higher_number(redis: Redis) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a", "b") as (a, b):
            await a.lease.take()
            await b.lease.take()
            assert (a.lease.is_held, a.lease.term, a.lease.holder) == (True, 1, "1:a")
            assert not b.lease.is_held
            await a.lease.take()
            assert a.lease.term == 1  # renewing is no new tenure
            await a.lease.give_back()
            assert not a.lease.is_held
            await b.lease.take()
            assert (b.lease.is_held, b.lease.holder) == (True, "2:b")

    play(scenario)


def test_a_command_that_redis_executes_late_is_recognised_as_ours(redis: Redis) -> None:
    """A lease taken by a command that had timed out kept everybody out for its whole time: nobody knew its token."""

    async def scenario() -> None:
        async with actors(redis.url, "a", ttl_s=2.0) as (a,), RedisClient.from_url(redis.url) as client:
            await a.lease.take()
            await client.delete("quantum:lease")
            freeze(redis)
            await a.lease.take()
            assert "no answer from Redis in time" in a.lease.error
            thaw(redis)
            await until(lambda: client.get("quantum:lease"))  # the late one
            a.lease.note_lost()
            assert not a.lease.is_held
            await a.lease.take()
            assert (a.lease.is_held, a.lease.term, a.lease.error) == (True, 2, "")

    play(scenario)


def test_terms_rise_over_a_redis_that_forgot_everything(redis: Redis) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a", "b") as (a, b), RedisClient.from_url(redis.url) as client:
            b.lease.known_term = 41  # from history, say
            await b.lease.take()
            assert b.lease.term == 42
            await client.flushall()
            await b.lease.take()
            assert b.lease.term == 43
            a.lease.known_term = 43
            redis.kill()
            redis.start()
            await a.lease.take()
            assert (a.lease.is_held, a.lease.term) == (True, 44)
            await b.lease.take()
            assert not b.lease.is_held

    play(scenario)


def test_a_holder_that_hears_of_a_higher_term_begins_a_new_one(redis: Redis) -> None:
    """A replica that had not heard of the last holder took over: it still names the one before."""

    async def scenario() -> None:
        async with actors(redis.url, "a") as (a,):
            await a.lease.take()
            a.lease.known_term = 5
            await a.lease.take()
            assert (a.lease.is_held, a.lease.holder) == (True, "6:a")

    play(scenario)


def test_what_a_hand_put_there_does_not_keep_publishers_out(redis: Redis) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a") as (a,), RedisClient.from_url(redis.url) as client:
            await client.set("quantum:lease", "nonsense")  # would stay for ever
            await client.lpush("quantum:term", "a list")
            await a.lease.take()
            assert (a.lease.is_held, a.lease.holder) == (True, "1:a")
            await client.delete("quantum:lease")
            await client.lpush("quantum:lease", "a list")
            await a.lease.take()
            assert "WRONGTYPE" in a.lease.error

    play(scenario)


def test_a_frozen_holder_knows_that_it_may_have_lost_it_before_it_asks(redis: Redis) -> None:
    async def scenario() -> None:
        now = [100.0]
        lease = RedisLease(RedisLeaseStore(redis.url), token="a", clock=lambda: now[0])
        await lease.take()
        now[0] += 3.9
        held = [lease.is_held]
        now[0] += 0.2
        assert [*held, lease.is_held] == [True, False]
        await lease.give_back()

    play(scenario)
    assert abs(read_boot_clock() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 60


def test_a_frozen_holder_finds_another_one_when_it_wakes(redis: Redis) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "frozen", "other", ttl_s=0.5) as (frozen, other):
            await frozen.lease.take()
            await until(lambda: take(other))
            assert not frozen.lease.is_held
            await frozen.lease.take()
            assert not frozen.lease.is_held
            await other.lease.give_back()
            await frozen.lease.take()
            assert (frozen.lease.is_held, frozen.lease.term) == (True, 3)

    play(scenario)


def test_a_standby_whose_command_is_executed_late_leads_and_knows_it(redis: Redis) -> None:
    """After a hang the standby's late command won, under a token that nobody knew: 4 s without a leader."""

    async def scenario() -> None:
        async with actors(redis.url, "a", "b", ttl_s=1.2) as (a, b), RedisClient.from_url(redis.url) as client:
            await a.lease.take()
            ended_at = read_boot_clock() + 1.5  # Redis counts from when it was asked, which is a moment later
            await b.lease.take()
            freeze(redis)
            await b.lease.take()  # waits in Redis's socket
            await until(lambda: not a.lease.is_held and read_boot_clock() > ended_at)
            thaw(redis)
            await until(lambda: client.get("quantum:lease"))
            await until(lambda: take(b), patience_s=0.9)  # before that lease could have ended by itself
            assert b.lease.term == 2

    play(scenario)


async def take(actor: Actor) -> bool:
    await actor.lease.take()
    return actor.lease.is_held


def test_who_keeps_it_takes_it_again_when_the_outlet_says_that_it_is_lost(redis: Redis) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a", ttl_s=4000) as (a,), RedisClient.from_url(redis.url) as client:
            keeping = asyncio.create_task(a.lease.keep())
            await until(lambda: a.lease.is_held)
            await client.delete("quantum:lease")
            a.lease.note_lost()
            assert not a.lease.is_held
            await until(lambda: a.lease.term == 2 and a.lease.is_held)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            assert await client.get("quantum:lease") is None  # given back

    play(scenario)


def test_who_stands_by_is_told_when_the_holder_ends_and_says_in_which_term_it_leads(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        # No look by time alone within this test.
        async with actors(redis.url, "a", "b", ttl_s=4000, patience_s=1000) as (a, b):
            taken = asyncio.Event()
            b.lease.on_taken = taken.set
            await a.lease.take()
            keeping = asyncio.create_task(b.lease.keep())
            await until(lambda: is_waited_for(redis))
            await a.lease.give_back()
            await taken.wait()
            assert (b.lease.is_held, b.lease.term) == (True, 2)
            taken.clear()
            b.lease.known_term = 6
            b.lease.note_lost()
            await taken.wait()
            assert (b.lease.is_held, b.lease.term) == (True, 7)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    with caplog.at_level("INFO", "streaming.publishing.lease"):
        play(scenario)
    said = [record.getMessage() for record in caplog.records if "holds the lease" in record.getMessage()]
    assert said == [f"This publisher holds the lease, in term {term}." for term in (1, 2, 7)]


def is_waited_for(redis: Redis) -> bool:
    """Whether somebody stands by."""
    with SyncRedisClient.from_url(redis.url) as client:
        return bool(client.info("clients")["blocked_clients"])


def test_a_new_term_of_the_same_holder_is_said(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a") as (a,):
            for known in (0, 0, 5):
                a.lease.known_term = max(known, a.lease.known_term)
                await a.lease.take()

    with caplog.at_level("INFO", "streaming.publishing.lease"):
        play(scenario)
    assert [record.getMessage()[-7:] for record in caplog.records] == ["term 1.", "term 6."]


def test_who_stands_by_knows_when_the_lease_of_one_that_was_killed_ends(redis: Redis) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a", "b", ttl_s=60) as (a, b), RedisClient.from_url(redis.url) as client:
            await a.lease.take()
            await client.pexpire("quantum:lease", 700)
            b.lease._pause_s = 60.0
            keeping = asyncio.create_task(b.lease.keep())
            await until(lambda: b.lease.is_held)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    play(scenario)


def test_who_ends_while_taking_it_leaves_nothing_behind(redis: Redis) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a") as (a,), RedisClient.from_url(redis.url) as client:
            await client.set("quantum:lease", "7:a", px=60_000)  # taken, and the answer never came
            assert a.lease.term == 0
            await a.lease.give_back()
            assert await client.get("quantum:lease") is None
            await client.set("quantum:lease", "8:b", px=60_000)
            await a.lease.give_back()
            assert await client.get("quantum:lease") == b"8:b"

    play(scenario)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ["Redis refuses", "OOM", "maxmemory"]),
        (("REPLICAOF", "127.0.0.1", "1"), ["Redis refuses", "READONLY"]),
        (("SHUTDOWN", "NOSAVE"), ["connecting to", "connect call failed"]),
    ],
)
def test_what_is_wrong_is_said_in_redis_own_words(redis: Redis, command: tuple[str, ...], words: list[str]) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a") as (a,):
            if command[0] == "SHUTDOWN":
                redis.kill()
            else:
                redis.cli(*command)
            await a.lease.take()
            assert not a.lease.is_held
            for word in words:
                assert word.lower() in a.lease.error.lower(), a.lease.error
            assert not a.lease.error.endswith(".")  # it stands within sentences

    play(scenario)
    if command[0] == "SHUTDOWN":
        redis.start()


def test_an_error_without_a_text_still_says_something(caplog: pytest.LogCaptureFixture) -> None:
    class Silent:
        failures = 2

        async def take(self, token: str, ttl_ms: int, known_term: int) -> Taken:
            if self.failures:
                self.failures -= 1
                raise TimeoutError
            return Taken(1, time.time())

        async def wait_for_release(self, at_most_s: float) -> None: ...

        async def release(self, holder: str) -> None:
            raise OSError

    async def scenario() -> None:
        lease = RedisLease(Silent())
        with caplog.at_level("INFO", "streaming.publishing.lease"):
            for _ in range(3):
                await lease.take()
            await lease.give_back()
        said = [record.getMessage() for record in caplog.records]
        assert len(said) == 4  # the failure once, not at each turn
        assert "no answer from Redis in time" in said[0]
        assert "answers again" in said[1]
        assert "OSError" in said[3]

    play(scenario)


def test_the_clock_is_compared_with_the_servers() -> None:
    class Server:
        async def take(self, token: str, ttl_ms: int, known_term: int) -> Taken:
            clock[0] += 0.4  # the way there and back
            return Taken(1, 1000.2)

        async def wait_for_release(self, at_most_s: float) -> None: ...

        async def release(self, holder: str) -> None: ...

    clock = [50.0]

    async def scenario() -> None:
        lease = RedisLease(Server(), clock=lambda: clock[0], wall=lambda: clock[0] + 955.0)
        assert lease.clock_offset_s is None
        await lease.take()
        assert lease.clock_offset_s == pytest.approx(5.0)

    play(scenario)


def test_alone_in_memory_a_tenure_is_higher_than_what_history_knows() -> None:
    async def scenario() -> None:
        lease = LocalLease()
        lease.known_term = 3
        await lease.take()
        await lease.take()
        assert (lease.is_held, lease.term, lease.holder) == (True, 4, "local")
        lease.known_term = 9  # history answered late
        await lease.take()
        assert lease.term == 10

    play(scenario)
