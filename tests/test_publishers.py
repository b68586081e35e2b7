"""Several processes on one Redis: one publishes, all stream the same."""

import asyncio
import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from streaming.publishing.lease import RedisLease
from streaming.publishing.redis_lease_store import RedisLeaseStore
from tests.conftest import StartServer
from tests.processes import MEASURED, Process, Redis, Server, run_manage, wait_until
from tests.test_database_failures import ids_in
from tests.test_resume import assert_chain


def manage(server: Server, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_manage(*words, **{**server.environment, **MEASURED, **environment})


def start_two(start_server: StartServer, redis: Redis) -> tuple[Server, Server]:
    """Two servers on one Redis: the one that publishes and the one that stands by."""
    servers = [start_server(kind, REDIS_URL=redis.url) for kind in ("daphne", "uvicorn")]
    wait_until(lambda: sorted(s.health()["publisher"] for s in servers) == ["leader", "standby"])
    leader, standby = sorted(servers, key=lambda s: s.health()["publisher"])
    return leader, standby


class Record:
    """What a client of one server receives, text by text."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.texts: list[str] = []

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts]

    def read(self, count: int) -> None:
        """Read `count` more snapshots; a publisher that was killed or frozen is succeeded within 20 s."""
        self.texts += [str(self._connection.recv(timeout=20)) for _ in range(count)]

    def read_past(self, timestamp: float) -> None:
        """Read on until a snapshot newer than `timestamp` came."""
        while not self.texts or json.loads(self.texts[-1])["timestamp"] <= timestamp:
            self.read(1)


def texts_of_both(one: Record, other: Record) -> list[str]:
    """What both received since the later one joined, after a check that it is the same, byte for byte."""
    newest = max(record.messages[-1]["timestamp"] for record in (one, other))
    first = max(record.messages[0]["timestamp"] for record in (one, other))
    for record in (one, other):
        record.read_past(newest)
    texts = [
        [text for text, m in zip(record.texts, record.messages, strict=True) if first <= m["timestamp"] <= newest]
        for record in (one, other)
    ]
    assert texts[0] == texts[1]
    return texts[0]


def test_of_all_publishers_one_leads_and_another_takes_over_when_it_is_killed(
    start_server: StartServer, redis: Redis
) -> None:
    leader, standby = start_two(start_server, redis)
    with leader.connect() as one, standby.connect() as other:
        records = Record(one), Record(other)
        for record in records:
            record.read(6)
        assert texts_of_both(*records)
        leader.kill()
        wait_until(lambda: standby.health()["publisher"] == "leader")
        records[1].read_past(standby.health()["timestamp"])
        records[1].read(6)
        assert_chain(records[1].messages)


def test_a_leader_that_is_frozen_is_succeeded_and_publishes_nothing_when_it_wakes(
    start_server: StartServer, redis: Redis, tmp_path: Path
) -> None:
    leader, standby = start_two(start_server, redis)
    with leader.connect() as one, standby.connect() as other:
        records = Record(one), Record(other)
        for record in records:
            record.read(3)
        leader.send(signal.SIGSTOP)
        wait_until(lambda: standby.health()["publisher"] == "leader")
        records[1].read_past(standby.health()["timestamp"])
        leader.send(signal.SIGCONT)
        assert leader.health()["publisher"] == "standby"  # by its own clock, before anybody told it
        for record in records:
            record.read_past(standby.health()["timestamp"])
        published = leader.health()["ticks"]["published"]
        for record in records:
            record.read(5)
            assert_chain(record.messages)
        assert len(texts_of_both(*records)) > 8
        assert standby.health()["publisher"] == "leader"
        assert leader.health()["publisher"] == "standby"
        assert leader.health()["ticks"]["published"] == published
        received = {message["id"] for record in records for message in record.messages}
    wait_until(lambda: received <= set(ids_in(tmp_path / "db.sqlite3")))


def test_a_publisher_that_ends_gives_the_lease_back_at_once(start_server: StartServer, redis: Redis) -> None:
    first = start_server(REDIS_URL=redis.url)
    wait_until(lambda: first.health()["publisher"] == "leader")
    first.stop()

    async def take() -> bool:
        lease = RedisLease(RedisLeaseStore(redis.url))
        await lease.take()
        is_held = lease.is_held
        await lease.give_back()
        return is_held

    assert asyncio.run(take())


def has_newest(server: Server, timestamp: float) -> bool:
    return bool(server.health()["timestamp"] == timestamp)


def test_the_publisher_runs_on_its_own_and_feeds_every_server(
    start_server: StartServer, redis: Redis, tmp_path: Path
) -> None:
    servers = [start_server(kind, REDIS_URL=redis.url, STREAM_PUBLISHER="false") for kind in ("daphne", "uvicorn")]
    publisher = Process(
        [sys.executable, "manage.py", "publish_metrics"], tmp_path / "publisher.log", **servers[0].environment
    )
    publisher.spawn()
    try:
        records = [server.receive(6, "?since=0") for server in servers]
        assert records[0] == records[1]
        once = manage(servers[0], "publish_metrics", "--once", STREAM_INTERVAL="3")
        assert once.returncode == 1
        assert "Another publisher holds the lease" in once.stderr
    finally:
        assert publisher.stop() == 0, publisher.output
    assert "Traceback" not in publisher.output
    once = manage(servers[0], "publish_metrics", "--once", STREAM_INTERVAL="3")  # with patience for a busy machine
    assert once.returncode == 0, once.stderr
    published = json.loads(once.stdout)
    assert published["previous"] >= records[0][-1]["timestamp"]
    for server in servers:
        wait_until(partial(has_newest, server, published["timestamp"]))


def test_publishing_on_its_own_into_memory_is_refused_with_the_reason(start_server: StartServer) -> None:
    refused = manage(start_server(), "publish_metrics", REDIS_URL="")
    assert refused.returncode == 1
    assert "Set REDIS_URL" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_when_the_channel_layers_redis_goes_the_stream_says_so_and_goes_on_when_it_is_back(
    start_server: StartServer, redis: Redis, number: signal.Signals
) -> None:
    server = start_server(REDIS_URL=redis.url, METRICS_REDIS_URL="redis://127.0.0.1:1/0")
    wait_until(lambda: server.health()["status"] == "ok")
    redis.send(number)
    wait_until(lambda: server.health()["status"] == "down")
    assert any("Channel layer" in reason for reason in server.health()["reasons"])
    if number == signal.SIGSTOP:
        redis.send(signal.SIGCONT)
    else:
        redis.wait()
        redis.start()
    wait_until(lambda: server.health()["status"] == "ok", 30)
    assert len(server.receive(3)) == 3
