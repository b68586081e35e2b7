"""Real Redis, written by a separate process: what a connected client sees of it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection

from tests.admin_session import AdminSession
from tests.conftest import StartServer
from tests.processes import ROOT, Redis

AI = {"ai__accuracy": 0.91, "ai__latency": "88", "ai__sharpe": "2.5", "ai__regime": "bear"}


def next_with(connection: ClientConnection, claim: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Read on until a snapshot is as claimed; every one on the way must continue the chain."""
    before: dict[str, Any] | None = None
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        message: dict[str, Any] = json.loads(connection.recv(timeout=20))
        assert before is None or message["previous"] == before["id"], "the stream has a gap"
        if claim(message):
            return message
        before = message
    raise AssertionError(f"no such snapshot in 20 s; the last one: {before}")


def test_switching_a_group_in_the_admin_brings_redis_values_to_a_connected_client(
    start_server: StartServer, redis: Redis
) -> None:
    server = start_server(METRICS_REDIS_URL=redis.url)
    redis.set(**AI)
    with server.connect() as connection:
        assert json.loads(connection.recv(timeout=10))["sources"]["ai"] == "mock"
        AdminSession(server).click("AI", "redis")
        message = next_with(connection, lambda m: m["sources"]["ai"] == "redis")
    assert (message["accuracy"], message["latency"], message["sharpe"]) == (0.91, 88, 2.5)
    assert message["regime"] == "bear"
    assert not set(message["problems"]) & {"accuracy", "latency", "sharpe", "regime"}
    assert message["sources"]["portfolio"] == "mock"


def test_what_goes_wrong_in_redis_shows_with_its_reason_and_the_stream_never_pauses(
    start_server: StartServer, redis: Redis
) -> None:
    server = start_server(METRICS_REDIS_URL=redis.url)
    redis.set(**AI)
    AdminSession(server).click("AI", "redis")
    was_unreachable: list[bool] = []  # at each tick

    with server.connect() as connection:

        def next_noted(claim: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
            def note(message: dict[str, Any]) -> bool:
                was_unreachable.append(message["problems"].get("sharpe") == "unreachable")
                return claim(message)

            return next_with(connection, note)

        next_noted(lambda m: m["accuracy"] == 0.91)

        redis.cli("DEL", "ai:accuracy")
        message = next_noted(lambda m: m["accuracy"] is None)
        assert message["problems"]["accuracy"] == "missing"
        assert message["latency"] == 88

        redis.set(ai__accuracy="nan", ai__latency="12abc", ai__regime="")
        message = next_noted(lambda m: m["latency"] is None)
        assert {message["problems"][key] for key in ("accuracy", "latency", "regime")} == {"invalid"}

        redis.cli("DEL", "ai:latency")
        redis.cli("LPUSH", "ai:latency", "88")
        redis.set(ai__accuracy="0.5")
        message = next_noted(lambda m: m["accuracy"] == 0.5)
        assert message["problems"]["latency"] == "invalid"  # another type

        redis.cli("DEL", "ai:sharpe")
        redis.set(portfolio__sharpe="1.75")
        next_noted(lambda m: m["sharpe"] == 1.75)

        redis.set(ai__updated_at=time.time() - 3600)
        message = next_noted(lambda m: m["problems"].get("sharpe") == "stale")
        assert message["sharpe"] == 1.75  # stale keeps the value
        assert message["observed"]["ai"] < time.time() - 3000
        redis.set(ai__updated_at=time.time() + 5)
        next_noted(lambda m: "sharpe" not in m["problems"])

        redis.send(signal.SIGSTOP)
        message = next_noted(lambda m: m["sharpe"] is None)
        assert message["problems"]["sharpe"] == "unreachable"
        redis.send(signal.SIGCONT)
        next_noted(lambda m: m["sharpe"] == 1.75)

        redis.kill()
        message = next_noted(lambda m: m["sharpe"] is None)
        assert message["problems"]["sharpe"] == "unreachable"
        redis.start()
        redis.set(ai__sharpe="3.25")
        next_noted(lambda m: m["sharpe"] == 3.25)
    # Logged once each time, not at each tick; a busy machine may add times of its own.
    times = sum(not before and after for before, after in pairwise(was_unreachable))
    assert times >= 2
    assert server.output.count("is unreachable") == times
    assert server.output.count("is back after") == times


def test_fallbacks_are_shown_only_when_staff_want_them_and_stay_marked(start_server: StartServer, redis: Redis) -> None:
    server = start_server(METRICS_REDIS_URL=redis.url)
    admin = AdminSession(server)
    admin.click("AI", "redis")
    with server.connect() as connection:
        assert next_with(connection, lambda m: m["sources"]["ai"] == "redis")["accuracy"] is None
        admin.get("/admin/metrics/datasource/2/change/")
        admin.post("/admin/metrics/datasource/2/change/", max_age_s="30", use_fallbacks="on")
        message = next_with(connection, lambda m: m["accuracy"] is not None)
    assert (message["accuracy"], message["latency"], message["sharpe"]) == (0.72, 184, 1.14)
    assert message["problems"]["accuracy"] == "missing"


def test_the_example_producer_fills_every_group(start_server: StartServer, redis: Redis) -> None:
    server = start_server(METRICS_REDIS_URL=redis.url)
    command = [sys.executable, "examples/producer.py", "--once", "--url"]
    subprocess.run([*command, redis.url], cwd=ROOT, check=True, timeout=20)
    admin = AdminSession(server)
    for group in ("System", "AI", "Portfolio"):
        admin.click(group, "redis")
    with server.connect() as connection:
        message = next_with(connection, lambda m: set(m["sources"].values()) == {"redis"})
    assert message["problems"] == {}
    assert set(message["observed"]) == {"system", "ai", "portfolio"}
    failed = subprocess.run([*command, "redis://127.0.0.1:1"], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert failed.returncode == 1
    assert "Cannot write to Redis" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_the_redis_password_is_shown_to_nobody(start_server: StartServer, tmp_path: Path) -> None:
    redis = Redis(tmp_path, "--requirepass", "s3cret-word").start()
    try:
        server = start_server(METRICS_REDIS_URL=f"redis://:s3cret-word@127.0.0.1:{redis.port}/0")
        admin = AdminSession(server)
        admin.click("AI", "redis")
        with server.connect() as connection:
            next_with(connection, lambda m: m["problems"].get("accuracy") == "missing")
        assert "unreachable" not in admin.rows()["AI"]["text"]
        assert f"Redis is <code>redis://127.0.0.1:{redis.port}/0</code>" in admin.page
        redis.kill()
        with server.connect() as connection:
            next_with(connection, lambda m: m["problems"].get("accuracy") == "unreachable")
        assert f"Redis at redis://127.0.0.1:{redis.port}/0 does not answer" in admin.rows()["AI"]["text"]
        for text in (admin.get("/admin/metrics/datasource/")[1], server.get("/stream/health")[1], server.output):
            assert "s3cret-word" not in text
    finally:
        if redis.process and redis.process.poll() is None:
            redis.stop()
