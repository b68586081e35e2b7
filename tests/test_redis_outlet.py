"""Publishing through Redis: one chain, whoever publishes when, however late; and words for what Redis refuses."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis as RedisClient
from redis.exceptions import RedisError

from metrics.snapshot import EncodedSnapshot
from streaming.publishing import layer as layer_module
from streaming.publishing.lease import read_boot_clock
from streaming.publishing.outlet import LayerOutlet, Outcome
from streaming.publishing.redis_outlet import STREAM_KEY, RedisOutlet
from streaming.publishing.redis_script import REDIS_ERRORS, describe_failure
from streaming.wire import GROUP, read_layer_message
from tests.conftest import end
from tests.fencing import Actor, Path, actors, freeze, make_layer, make_message, thaw, until
from tests.processes import Redis
from tests.test_lease import play, take


@pytest.fixture(scope="module")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis for many examples, each of which empties it."""
    folder: FilePath = tmp_path_factory.mktemp("redis")
    process = Redis(folder).start()
    yield process
    end(process)


def test_a_snapshot_reaches_the_group_and_stays_in_the_same_step(redis: Redis) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a") as (a,):
            channel = await a.layer.new_channel()
            await a.layer.group_add(GROUP, channel)
            await a.lease.take()
            message = make_message(1735174460123, None)
            assert await a.outlet.publish(message, a.lease.holder) == (Outcome.PUBLISHED, 1735174460123)
            frame = read_layer_message(await a.layer.receive(channel))
            assert (frame.id, frame.previous, frame.term, frame.text) == message
            assert await a.outlet.publish(message, a.lease.holder) == (Outcome.PUBLISHED, 1735174460123)  # not again
            assert await a.outlet.publish(message._replace(text="{}"), "9:x") == (Outcome.LOST, message.id)
            following = make_message(1735174463123, 1735174460123)
            await a.outlet.publish(following, a.lease.holder)
            assert (await a.layer.receive(channel))["id"] == following.id
            assert await a.outlet.newest(10) == [message, following]
            assert await a.outlet.newest(1) == [following]
            assert await a.outlet.between(message.id, None) == [following]
            assert await a.outlet.between(0, following.id) == [message]
            assert await a.outlet.between(message.id, following.id) == []
            assert await a.outlet.between(message.id, message.id + 1) == []

    play(scenario)


def test_of_two_publishers_who_take_turns_only_the_holder_gets_anything_through(redis: Redis) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a", "b") as (a, b):
            await a.lease.take()
            await b.lease.take()
            last: int | None = None
            for turn in range(20):
                id_ = 1000 + turn
                stray = await b.outlet.publish(make_message(id_ + 500, last), f"{a.lease.term}:b")
                assert stray == (Outcome.LOST, last)
                assert (await a.outlet.publish(make_message(id_, last), a.lease.holder)).outcome == Outcome.PUBLISHED
                last = id_
            await a.lease.give_back()
            await b.lease.take()
            assert await a.outlet.publish(make_message(2000, last), a.lease.holder) == (Outcome.LOST, last)
            assert await b.outlet.publish(make_message(2001, 1005, 2), b.lease.holder) == (Outcome.BEHIND, last)
            assert (await b.outlet.publish(make_message(2001, last, 2), b.lease.holder)).outcome == Outcome.PUBLISHED
            terms = [message.term for message in await a.outlet.newest(100)]
            assert terms == [1] * 20 + [2]

    play(scenario)


def test_what_was_on_its_way_when_redis_froze_is_published_once_and_the_head_tells(redis: Redis) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a", ttl_s=60, patience_s=0.3) as (a,):
            await a.lease.take()
            await a.outlet.publish(make_message(1, None), a.lease.holder)
            freeze(redis)
            for id_ in (2, 3):  # the second on a connection that Redis has not even accepted
                with pytest.raises(REDIS_ERRORS):
                    await a.outlet.publish(make_message(id_, 1), a.lease.holder)
            thaw(redis)
            await until(lambda: has(a, 2))
            assert await a.outlet.publish(make_message(4, 1), a.lease.holder) == (Outcome.BEHIND, 2)
            assert await a.outlet.between(1, None) == [make_message(2, 1)]
            assert await a.outlet.publish(make_message(4, 2), a.lease.holder) == (Outcome.PUBLISHED, 4)

    play(scenario)


async def has(actor: Actor, id_: int) -> bool:
    try:
        return id_ in [message.id for message in await actor.outlet.newest(10)]
    except REDIS_ERRORS:
        return False


def test_what_was_on_its_way_when_the_lease_ended_is_never_published(redis: Redis) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a", "b", ttl_s=0.8, patience_s=0.2) as (a, b):
            await a.lease.take()
            await a.outlet.publish(make_message(1, None), a.lease.holder)
            freeze(redis)
            with pytest.raises(REDIS_ERRORS):
                await a.outlet.publish(make_message(2, 1), a.lease.holder)
            ended_at = read_boot_clock() + 1.0  # Redis counts from when it was asked, which is a moment later
            await until(lambda: not a.lease.is_held and read_boot_clock() > ended_at)
            thaw(redis)
            await until(lambda: take(b))
            await b.outlet.publish(make_message(3, 1, 2), b.lease.holder)
            assert await a.outlet.publish(make_message(4, 3), a.lease.holder) == (Outcome.LOST, 3)
            assert await a.outlet.newest(10) == [make_message(1, None), make_message(3, 1, 2)]

    play(scenario)


def test_a_redis_that_holds_back_writes_does_not_hold_up_the_tick_and_nothing_comes_twice(redis: Redis) -> None:
    async def scenario() -> None:
        async with (
            actors(redis.url, "a", ttl_s=60, patience_s=0.2) as (a,),
            RedisClient.from_url(redis.url) as client,
        ):
            await a.lease.take()
            await a.outlet.publish(make_message(1, None), a.lease.holder)
            await client.execute_command("CLIENT", "PAUSE", "600", "WRITE")  # type: ignore[no-untyped-call]
            failed = 0
            last = 1
            for id_ in range(2, 30):
                try:
                    published = await a.outlet.publish(make_message(id_, last), a.lease.holder)
                except REDIS_ERRORS:
                    failed += 1
                    continue
                assert published.head is not None
                last = published.head
                if published.outcome is Outcome.PUBLISHED and failed:
                    break
            assert failed
            chain = await a.outlet.newest(100)
            assert [message.previous for message in chain] == [None, *[message.id for message in chain[:-1]]]
            assert chain[-1].id == last

    play(scenario)


def test_a_redis_that_was_flushed_or_restarted_empty_takes_the_next_one_from_a_new_tenure(redis: Redis) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a") as (a,), RedisClient.from_url(redis.url) as client:
            await a.lease.take()
            await a.outlet.publish(make_message(1, None), a.lease.holder)
            await client.flushall()
            assert await a.outlet.publish(make_message(2, 1), a.lease.holder) == (Outcome.LOST, None)
            a.lease.note_lost()
            await a.lease.take()
            assert a.lease.holder == "2:a"
            assert await a.outlet.publish(make_message(2, 1, 2), a.lease.holder) == (Outcome.PUBLISHED, 2)
            redis.kill()
            redis.start()
            assert await a.outlet.publish(make_message(3, 2, 2), a.lease.holder) == (Outcome.LOST, None)
            await a.lease.take()
            assert await a.outlet.publish(make_message(3, 2, 3), a.lease.holder) == (Outcome.PUBLISHED, 3)

    play(scenario)


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        ([("CONFIG", "SET", "maxmemory", "1")], ["Redis refuses: OOM", "maxmemory"]),
        ([("REPLICAOF", "127.0.0.1", "1")], ["Redis refuses: READONLY", "read only replica"]),
        ([("SET", "quantum:stream", "text")], ["Redis refuses: WRONGTYPE"]),
        ([("DEL", "quantum:lease"), ("LPUSH", "quantum:lease", "x")], ["Redis refuses: WRONGTYPE"]),
    ],
)
def test_what_redis_refuses_is_said_in_its_own_words(
    redis: Redis, commands: list[tuple[str, ...]], words: list[str]
) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a") as (a,):
            await a.lease.take()
            for command in commands:
                redis.cli(*command)
            with pytest.raises(RedisError) as caught:
                await a.outlet.publish(make_message(1, None), a.lease.holder)
            for word in words:
                assert word in describe_failure(caught.value)

    play(scenario)


def test_a_redis_that_lost_its_newest_goes_on_from_what_the_publisher_knows(redis: Redis) -> None:
    """A replica that was a second behind took over, say."""

    async def scenario() -> None:
        async with actors(redis.url, "a", ttl_s=60) as (a,):
            await a.lease.take()
            for id_, previous in ((1, None), (2, 1), (3, 2)):
                await a.outlet.publish(make_message(id_, previous), a.lease.holder)
            redis.cli("XDEL", STREAM_KEY, "3-0")
            redis.cli("XSETID", STREAM_KEY, "2-0")
            assert await a.outlet.publish(make_message(4, 3), a.lease.holder) == (Outcome.PUBLISHED, 4)
            assert await a.outlet.publish(make_message(5, 3), a.lease.holder) == (Outcome.BEHIND, 4)

    play(scenario)


def test_what_a_hand_put_into_the_stream_does_not_stop_it(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a") as (a,), RedisClient.from_url(redis.url) as client:
            await a.lease.take()
            await a.outlet.publish(make_message(1, None), a.lease.holder)
            await client.xadd("quantum:stream", {"something": "else"}, id="5-7")
            assert await a.outlet.publish(make_message(6, 1), a.lease.holder) == (Outcome.BEHIND, 5)
            assert await a.outlet.publish(make_message(6, 5), a.lease.holder) == (Outcome.PUBLISHED, 6)
            assert await a.outlet.newest(10) == [make_message(1, None), make_message(6, 5)]
            assert "5-7" in caplog.text

    play(scenario)


def test_only_the_newest_stay(redis: Redis) -> None:
    async def scenario() -> None:
        async with actors(redis.url, "a") as (a,):
            outlet = RedisOutlet(redis.url, a.layer, keep=100)
            await a.lease.take()
            for id_ in range(1, 402):
                await outlet.publish(make_message(id_, id_ - 1 or None), a.lease.holder)
            kept = await outlet.newest(1000)
            assert 100 <= len(kept) < 300  # Redis cuts off whole nodes
            assert kept[-1].id == 401
            await outlet.aclose()

    play(scenario)


Steps = list[tuple[str, int, int]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["take"] * 5 + ["publish"] * 6 + ["expire"] * 3 + ["learn", "send late", "arrive"] * 2 + ["flush"]
        ),
        st.integers(0, 2),
        st.integers(-5, 50),  # how far this actor's clock is off
    ),
    min_size=30,  # shorter ones hardly bring two tenures together
    max_size=80,
)


@settings(
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # making a failing one shorter takes minutes
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_under_any_interleaving_there_is_one_chain_and_terms_never_fall(shared_redis: Redis, steps: Steps) -> None:
    asyncio.run(interleave(shared_redis.url, steps))


async def interleave(url: str, steps: Steps) -> None:
    """Three publishers who neither look whether they hold the lease nor know what the others did, unless they learn."""
    async with actors(url, "a", "b", "c", patience_s=20) as made, RedisClient.from_url(url) as client:
        await client.flushall()
        heads: list[int | None] = [None, None, None]
        on_the_way: list[tuple[Actor, EncodedSnapshot, str]] = []
        terms: list[int] = []
        chain: list[EncodedSnapshot] = []
        for clock, (step, number, off) in enumerate(steps):
            actor = made[number]
            head = heads[number]
            message = EncodedSnapshot(
                max(100 + clock + off, (head or 0) + 1), head, actor.lease.term, f'{{"n":{clock}}}'
            )
            match step:
                case "take":
                    actor.lease.known_term = max(terms, default=0)
                    await actor.lease.take()
                case "learn":
                    newest = await actor.outlet.newest(1)
                    heads[number] = newest[-1].id if newest else None
                case "send late":
                    on_the_way.append((actor, message, actor.lease.holder))
                case "publish" | "arrive":
                    sent = (actor, message, actor.lease.holder)
                    if step == "arrive":
                        if not on_the_way:
                            continue
                        sent = on_the_way.pop(off % len(on_the_way))
                    published = await sent[0].outlet.publish(*sent[1:])
                    if published.outcome is Outcome.PUBLISHED:
                        chain.append(sent[1])
                        terms.append(sent[1].term)
                        heads[made.index(sent[0])] = sent[1].id
                case "expire":
                    await client.delete("quantum:lease")
                case "flush":
                    await client.flushall()
                    chain.clear()
        assert await made[0].outlet.newest(1000) == chain
        for before, after in pairwise(chain):
            # Where Redis was flushed, somebody may know a newer one than it has, and goes on from that.
            was_lost = any(name == "flush" for name, *_ in steps) and (after.previous or 0) > before.id
            assert after.previous == before.id or was_lost
        assert terms == sorted(terms)


def test_the_layer_receives_again_and_says_so_when_its_connection_was_killed(redis: Redis) -> None:
    async def scenario() -> None:
        returns: list[int] = []
        async with actors(redis.url, "a") as (a,), RedisClient.from_url(redis.url) as client:
            a.layer.on_reconnect = lambda: returns.append(1)
            channel = await a.layer.new_channel()
            await a.layer.group_add(GROUP, channel)
            await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")  # type: ignore[no-untyped-call]
            await until(lambda: returns)
            await a.layer.group_send(GROUP, {"type": "snapshot", "id": 1})
            assert (await a.layer.receive(channel))["id"] == 1
            assert len(returns) == 1

    play(scenario)


def test_the_layer_gives_up_a_connection_that_is_silent(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_module, "DEAF_AFTER_S", 0.5)

    async def scenario() -> None:
        returns: list[int] = []
        async with Path(redis.port) as path, actors(redis.url, "a") as (a,):
            layer = make_layer(f"redis://127.0.0.1:{path.port}", health_check_interval=0.2)
            layer.on_reconnect = lambda: returns.append(1)
            channel = await layer.new_channel()
            await layer.group_add(GROUP, channel)
            await a.layer.group_send(GROUP, {"type": "snapshot", "id": 1})
            assert (await layer.receive(channel))["id"] == 1
            path.swallow()
            await until(lambda: returns)
            await a.layer.group_send(GROUP, {"type": "snapshot", "id": 2})
            assert (await layer.receive(channel))["id"] == 2
            await layer.flush()

    play(scenario)


def test_in_memory_all_is_published_and_nothing_kept() -> None:
    class Layer:
        sent: list[tuple[str, dict[str, Any]]]

        def __init__(self) -> None:
            self.sent = []

        async def group_send(self, group: str, message: dict[str, Any]) -> None:
            self.sent.append((group, message))

    async def scenario() -> None:
        layer = Layer()
        outlet = LayerOutlet(layer)
        assert await outlet.publish(make_message(7, None), "local") == (Outcome.PUBLISHED, 7)
        assert layer.sent[0][1]["id"] == 7
        assert await outlet.newest(5) == await outlet.between(0, None) == []
        await outlet.aclose()

    play(scenario)
