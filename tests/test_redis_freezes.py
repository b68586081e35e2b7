"""A Redis that comes and goes: no value ever shows under another name, and wrong credentials are told."""

import json
import random
import signal
import time
from pathlib import Path

import redis as redis_client

from tests.admin_session import LIST, AdminSession
from tests.conftest import StartServer
from tests.processes import Redis, wait_until
from tests.test_redis_source import next_with

#: One value per metric, all different, so that an answer to the wrong question is seen.
PORTFOLIO = {
    "portfolio__pnl": 111.5,
    "portfolio__positions": 222,
    "portfolio__exposure": 0.33,
    "portfolio__risk": 0.44,
    "portfolio__volatility": 5.55,
}


def test_a_redis_that_freezes_again_and_again_never_mixes_up_its_answers(
    start_server: StartServer, redis: Redis
) -> None:
    """A question that was given up leaves no late answer behind for the next one to find."""
    server = start_server(METRICS_REDIS_URL=redis.url, STREAM_INTERVAL="0.1")
    redis.set(**PORTFOLIO)
    AdminSession(server).click("Portfolio", "redis")
    moments = random.Random(3)
    expected = {key.removeprefix("portfolio__"): value for key, value in PORTFOLIO.items()}
    with server.connect() as connection:
        next_with(connection, lambda m: m["pnl"] == 111.5)
        for freeze in range(12):
            redis.send(signal.SIGSTOP)
            time.sleep(moments.uniform(0, 0.1))  # it wakes at any moment of a tick
            if freeze % 2:
                next_with(connection, lambda m: m["problems"].get("pnl") == "unreachable")
            redis.send(signal.SIGCONT)
            for _ in range(4):
                message = json.loads(connection.recv(timeout=20))
                assert {key: message[key] for key in expected} in (expected, dict.fromkeys(expected))
            next_with(connection, lambda m: m["pnl"] == 111.5)


def test_an_unresponsive_redis_holds_few_connections(start_server: StartServer, redis: Redis) -> None:
    server = start_server(METRICS_REDIS_URL=redis.url, STREAM_INTERVAL="0.1")
    AdminSession(server).click("Portfolio", "redis")
    with server.connect() as connection:
        next_with(connection, lambda m: m["problems"].get("pnl") == "missing")
        for _ in range(5):
            redis.send(signal.SIGSTOP)
            next_with(connection, lambda m: m["problems"].get("pnl") == "unreachable")
            server.health()
            redis.send(signal.SIGCONT)
            next_with(connection, lambda m: m["problems"].get("pnl") == "missing")
    wait_until(lambda: connections_to(redis) <= 3, what="at most 3 connections")


def connections_to(redis: Redis) -> int:
    with redis_client.Redis(port=redis.port) as client:
        return len(client.client_list()) - 1


def test_a_wrong_password_is_unreachable_and_never_shown(start_server: StartServer, tmp_path: Path) -> None:
    redis = Redis(tmp_path, "--requirepass", "right-word").start()
    try:
        server = start_server(METRICS_REDIS_URL=f"redis://:wrong-word@127.0.0.1:{redis.port}/0")
        admin = AdminSession(server)
        admin.click("AI", "redis")
        with server.connect() as connection:
            message = next_with(connection, lambda m: m["sources"]["ai"] == "redis")
            assert message["problems"]["accuracy"] == "unreachable"
        wait_until(lambda: server.health()["status"] == "degraded")
        wait_until(lambda: "invalid username-password" in server.get("/stream/health")[1])
        for text in (server.output, server.get("/stream/health")[1], admin.get(LIST)[1]):
            assert "wrong-word" not in text
    finally:
        redis.stop()


def test_that_redis_is_away_is_logged_once_however_often_somebody_looks(start_server: StartServer) -> None:
    server = start_server()
    admin = AdminSession(server)
    admin.click("AI", "redis")
    server.said("is unreachable")
    published = server.health()["ticks"]["published"]
    for _ in range(3):
        admin.get(LIST)
        server.health()
    wait_until(lambda: server.health()["ticks"]["published"] > published + 5)
    assert server.output.count("is unreachable") == 1


def test_a_server_that_starts_while_redis_hangs_says_so_once_and_once_that_it_is_back(
    start_server: StartServer, redis: Redis
) -> None:
    redis.send(signal.SIGSTOP)
    server = start_server("uvicorn", REDIS_URL=redis.url)
    server.said("No snapshot comes to this server: the channel layer is away .* Is the Redis at REDIS_URL up?")
    wait_until(lambda: server.health()["status"] == "down")
    redis.send(signal.SIGCONT)
    server.said("The channel layer is there, after .* s; snapshots come again")
    wait_until(lambda: server.health()["status"] in {"ok", "degraded"})
    assert server.output.count("No snapshot comes to this server") == 1
    assert "Traceback" not in server.output
