"""Several processes on one Redis: one publishes, all stream the same."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streaming.publishing.lease import RedisLease
from streaming.publishing.redis_lease_store import RedisLeaseStore
from tests.conftest import StartServer
from tests.processes import ROOT, Process, Redis, Server, wait_until


def manage(server: Server, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**os.environ, **server.environment, **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_of_all_publishers_one_leads_and_another_takes_over_when_it_is_killed(
    start_server: StartServer, redis: Redis
) -> None:
    servers = [start_server("daphne", REDIS_URL=redis.url), start_server("uvicorn", REDIS_URL=redis.url)]
    wait_until(lambda: sorted(s.health()["publisher"] for s in servers) == ["leader", "standby"])
    leader, standby = sorted(servers, key=lambda s: s.health()["publisher"])
    with leader.connect() as one, standby.connect() as other:
        seen = {one.recv(timeout=10) for _ in range(8)} & {other.recv(timeout=10) for _ in range(8)}
        assert len(seen) >= 6  # the very same bytes
        leader.kill()
        wait_until(lambda: standby.health()["publisher"] == "leader")
        before = json.loads(other.recv(timeout=10))
        for _ in range(10):
            message = json.loads(other.recv(timeout=10))
            assert message["previous"] == before["timestamp"]
            before = message


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


def test_the_publisher_runs_on_its_own_and_feeds_every_server(
    start_server: StartServer, redis: Redis, tmp_path: Path
) -> None:
    servers = [start_server(kind, REDIS_URL=redis.url, STREAM_PUBLISHER="false") for kind in ("daphne", "uvicorn")]
    publisher = Process(
        [sys.executable, "manage.py", "publish_metrics"], tmp_path / "publisher.log", **servers[0].environment
    )
    publisher.spawn()
    try:
        records = [[m["timestamp"] for m in server.receive(6)] for server in servers]
        assert len(set(records[0]) & set(records[1])) >= 1
        once = manage(servers[0], "publish_metrics", "--once")
        assert once.returncode == 1
        assert "Another publisher holds the lease" in once.stderr
    finally:
        assert publisher.stop() == 0, publisher.output
    assert "Traceback" not in publisher.output
    once = manage(servers[0], "publish_metrics", "--once")
    assert once.returncode == 0, once.stderr
    published = json.loads(once.stdout)
    assert published["previous"] >= records[0][-1]
    for server in servers:
        wait_until(lambda server=server: server.health()["timestamp"] == published["timestamp"])  # type: ignore[misc]


def test_publishing_on_its_own_into_memory_is_refused_with_the_reason(start_server: StartServer) -> None:
    refused = manage(start_server(), "publish_metrics", REDIS_URL="")
    assert refused.returncode == 1
    assert "Set REDIS_URL" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("number", [19, 9])  # SIGSTOP, SIGKILL
def test_when_the_channel_layers_redis_goes_the_stream_says_so_and_goes_on_when_it_is_back(
    start_server: StartServer, redis: Redis, number: int
) -> None:
    server = start_server(REDIS_URL=redis.url, METRICS_REDIS_URL="redis://127.0.0.1:1/0")
    wait_until(lambda: server.health()["status"] == "ok")
    assert redis.process is not None
    redis.process.send_signal(number)
    wait_until(lambda: server.health()["status"] == "down")
    assert any("Channel layer" in reason for reason in server.health()["reasons"])
    if number == 19:
        redis.process.send_signal(18)
    else:
        redis.process.wait()
        redis.start()
    wait_until(lambda: server.health()["status"] == "ok", 30)
    assert len(server.receive(3)) == 3
