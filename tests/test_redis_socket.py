"""A Redis that listens at a Unix socket and nowhere else, with a password: how a deployment on one machine has it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import StartServer, end
from tests.processes import Redis, wait_until


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "redis.sock"
    redis = Redis(tmp_path, "--unixsocket", str(path), "--requirepass", "a-password", "--port", "0")
    redis.spawn()
    wait_until(path.exists)
    yield path
    end(redis)


def test_the_stream_goes_through_a_redis_at_a_socket_of_this_machine(start_server: StartServer, socket: Path) -> None:
    url = f"unix://:a-password@{socket}"
    server = start_server("uvicorn", REDIS_URL=url, METRICS_REDIS_URL=url)
    assert server.receive(3)
    report = server.health()
    assert report["status"] == "ok", report["reasons"]
    assert report["lease"]["held"]
    assert report["checks"]["redis"]["ok"]
    assert report["checks"]["channel_layer"]["ok"]
