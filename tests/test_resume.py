"""Whoever comes back gets what they missed: with real servers that are killed, and real clients that leave."""

import asyncio
import json
import random
import signal
import time
from contextlib import ExitStack, suppress
from itertools import pairwise
from typing import Any

import pytest
import redis as redis_client
import websockets
from websockets.exceptions import ConnectionClosed

from tests.conftest import StartServer
from tests.processes import Redis, Server, wait_until


def assert_chain(messages: list[dict[str, Any]]) -> None:
    for before, after in pairwise(messages):
        assert after["previous"] == before["id"]


def test_a_client_that_reconnects_gets_what_it_missed(server: Server) -> None:
    missed = server.receive(5)
    wait_until(lambda: server.health()["timestamp"] > missed[-1]["timestamp"])
    again = server.receive(8, f"?since={missed[0]['id']}")
    assert again[: len(missed) - 1] == missed[1:]
    assert_chain(again)


def test_since_before_everything_gets_all_there_is_and_previous_tells_the_rest(server: Server) -> None:
    assert_chain(server.receive(6, "?since=0"))


def test_a_since_that_is_ahead_of_this_server_waits_for_what_comes_after_it(server: Server) -> None:
    latest = server.receive(1)[0]
    (first,) = server.receive(1, f"?since={latest['id'] + 300}")
    assert first["id"] > latest["id"] + 300


def test_a_since_that_is_a_timestamp_still_resumes(server: Server) -> None:
    """Clients of 1.0 know nothing else."""
    before = server.receive(3)
    after = server.receive(3, f"?since={before[0]['timestamp']}")
    assert after[:2] == before[1:]


@pytest.mark.parametrize("since", ["abc", "-1", "nan", "inf", "", "9" * 400, "1e999", "%00", "1;2"])
def test_a_since_that_is_no_id_is_closed_with_4400_and_a_reason(server: Server, since: str) -> None:
    with server.connect(f"?since={since}") as connection:
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4400
        assert "since=1735174460123" in closed.value.rcvd.reason


def test_a_client_that_resumes_200_times_at_random_moments_misses_nothing(start_server: StartServer) -> None:
    server = start_server("uvicorn", STREAM_INTERVAL="0.05")
    moments = random.Random(7)
    record: list[dict[str, Any]] = []

    async def come_and_go() -> None:
        for _ in range(200):
            since = f"?since={record[-1]['id']}" if record else ""
            async with websockets.connect(server.stream + since, compression=None) as connection:
                try:
                    async with asyncio.timeout(moments.uniform(0, 0.06)):
                        while True:
                            record.append(json.loads(await connection.recv()))
                except TimeoutError:
                    pass

    asyncio.run(come_and_go())
    assert len(record) > 50
    assert_chain(record)


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_a_server_that_is_killed_goes_on_where_the_chain_ended(start_server: StartServer, kind: str) -> None:
    server = start_server(kind)
    before = server.receive(6)
    server.kill()
    again = start_server(kind)
    after = again.receive(12, f"?since={before[0]['id']}")
    assert_chain(after)
    assert after[: len(before) - 1] == before[1:]
    assert "Traceback" not in again.output


def test_clients_are_told_to_come_back_when_the_server_ends(start_server: StartServer) -> None:
    for kind in ("daphne", "uvicorn"):
        server = start_server(kind, STREAM_DRAIN="1")
        with ExitStack() as stack:
            connections = [stack.enter_context(server.connect()) for _ in range(120)]
            for connection in connections:
                connection.recv(timeout=10)
            server.send(signal.SIGTERM)
            for connection in connections:
                with suppress(ConnectionClosed):
                    while True:
                        connection.recv(timeout=10)
                assert connection.close_code == 1012
        assert server.wait() == 0
        assert "took too long" not in server.output


def cut_subscriptions(redis: Redis, seconds: float) -> None:
    """Break every subscription, and each new one at once, so that snapshots pass unheard."""
    until = time.monotonic() + seconds
    with redis_client.Redis(port=redis.port) as client:
        while time.monotonic() < until:
            client.client_kill_filter(_type="pubsub")
            time.sleep(0.01)


def test_a_hub_that_lost_its_redis_for_seconds_heals_the_gap(start_server: StartServer, redis: Redis) -> None:
    """Two servers on one Redis; the connections of one to the channel layer are cut while the other publishes."""
    leader = start_server(REDIS_URL=redis.url)
    wait_until(lambda: leader.health()["publisher"] == "leader")
    follower = start_server("uvicorn", REDIS_URL=redis.url, STREAM_PUBLISHER="false")
    with follower.connect() as connection:
        record = [json.loads(connection.recv(timeout=10)) for _ in range(3)]

        def has_healed() -> bool:  # it is back within milliseconds: until it has missed something
            cut_subscriptions(redis, 1.5)
            return bool(follower.health()["stream"]["healed"])

        wait_until(has_healed, patience_s=60)
        record += [json.loads(connection.recv(timeout=10)) for _ in range(10)]
    assert_chain(record)
    assert follower.health()["stream"]["gaps"] == 0
