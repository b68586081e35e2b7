"""Health tells the truth, whatever hangs, and waits for nothing that hangs: it says how long it waited."""

import json
import signal
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from tests.admin_session import AdminSession
from tests.conftest import StartServer
from tests.processes import Redis, Server, wait_until


def answer_when_ok(server: Server) -> tuple[int, str] | None:
    status, body = server.get("/stream/health")
    return (status, body) if json.loads(body)["status"] == "ok" else None


def test_a_healthy_stream_is_ok_with_every_figure(server: Server) -> None:
    wait_until(lambda: server.health()["ticks"]["published"] > 2)
    status, body = wait_until(partial(answer_when_ok, server))
    report = json.loads(body)
    assert status == 200
    assert report["age"] >= 0
    assert report["interval"] == 0.2
    assert report["ticks"]["missed"] >= 0
    assert report["publisher"] == "leader"
    assert {group: each["source"] for group, each in report["groups"].items()} == {
        "system": "host",
        "ai": "mock",
        "portfolio": "mock",
    }
    for name in ("channel_layer", "database"):
        assert report["checks"][name]["ok"] is True
        assert report["checks"][name]["ms"] >= 0
    assert report["checks"]["redis"]["ok"] is False  # nothing listens there, and nobody needs it: still ok
    assert report["checks"]["redis"]["used"] is False


def test_head_works_and_other_methods_get_405(server: Server) -> None:
    for path in ("/stream/health", "/stream/health/", "/stream/health/live"):
        assert server.get(path, "HEAD") == (200, "")
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert server.get(path, method)[0] == 405


def test_health_is_never_cached(server: Server) -> None:
    import urllib.request

    with urllib.request.urlopen(server.url + "/stream/health", timeout=10) as response:
        assert "no-store" in response.headers["Cache-Control"]


def test_live_answers_as_long_as_the_process_does(server: Server) -> None:
    assert server.get("/stream/health/live") == (200, '{"status": "alive"}')


def test_a_hanging_redis_degrades_and_delays_nobody(start_server: StartServer, redis: Redis) -> None:
    server = start_server(METRICS_REDIS_URL=redis.url, STREAM_INTERVAL="1")  # not down because the machine is busy
    AdminSession(server).click("AI", "redis")
    redis.send(signal.SIGSTOP)
    wait_until(lambda: server.health()["status"] == "degraded")
    for _ in range(3):
        status, body = server.get("/stream/health")
        assert status == 200
        assert "Redis: no answer within 0.5 s." in json.loads(body)["reasons"]
    redis.send(signal.SIGCONT)
    redis.set(ai__accuracy=0.5, ai__latency=5, ai__sharpe=1, ai__regime="bull")
    wait_until(lambda: server.health()["status"] == "ok")


def test_without_a_snapshot_for_three_intervals_the_stream_is_down(
    start_server: StartServer,
) -> None:
    server = start_server(STREAM_PUBLISHER="false")
    wait_until(lambda: server.get("/stream/health")[0] == 503)
    report = server.health()
    assert report["status"] == "down"
    assert report["publisher"] == "elsewhere"
    assert "No snapshot for" in report["reasons"][0]
    assert server.get("/stream/health/live")[0] == 200
    assert server.get("/stream/latest")[0] == 503


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_a_locked_database_degrades_and_delays_nobody(start_server: StartServer, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "db.sqlite3"
    server = start_server(kind, DATABASE_URL=f"sqlite:///{path}?timeout=60", STREAM_INTERVAL="1")
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    wait_until(lambda: server.health()["status"] == "degraded")
    for _ in range(3):
        status, body = server.get("/stream/health")
        report = json.loads(body)
        assert (status, report["status"]) == (200, "degraded")
        assert "Database: no answer within 0.5 s." in report["reasons"]
    database.execute("ROLLBACK")
    wait_until(lambda: server.health()["status"] == "ok")


def test_health_by_address_is_answered_whatever_the_site_is_called(start_server: StartServer) -> None:
    """A name of its own made health by address a 400 with a traceback; HTTPS made it a redirect."""
    server = start_server("uvicorn", ALLOWED_HOSTS="dashboard.example", HTTPS="true")
    for path in ("/stream/health", "/stream/health/", "/stream/health/live"):
        status, body = server.get(path)
        assert status in {200, 503}  # an answer, whatever it says: a busy machine may have it down
        assert json.loads(body)["status"] in {"ok", "degraded", "down", "alive"}
    assert server.get("/stream/health", "POST")[0] == 405


def test_who_polls_a_server_without_snapshots_fills_no_log(start_server: StartServer) -> None:
    server = start_server("uvicorn", STREAM_PUBLISHER="false", STREAM_INTERVAL="0.05")
    wait_until(lambda: server.get("/stream/health")[0] == 503)
    for _ in range(5):
        assert server.get("/stream/latest")[0] == 503
    assert "Service Unavailable" not in server.output


def test_who_publishes_beside_another_into_one_database_is_told_that_it_is_not_kept(
    start_server: StartServer, tmp_path: Path
) -> None:
    first = start_server()
    wait_until(lambda: first.health()["ticks"]["published"] > 2)
    second = start_server()  # no REDIS_URL: neither knows of the other
    assert first.environment["DATABASE_URL"] == second.environment["DATABASE_URL"]
    report = wait_until(lambda: found if (found := first.health())["history"]["fenced_off"] else None)
    assert report["status"] == "degraded"
    assert any("History refuses what this process publishes" in reason for reason in report["reasons"])
    assert second.health()["history"]["refused"] == 0
    report = second.health()  # what it publishes is kept; but it is not the only one
    assert (report["status"], report["history"]["others"]) == ("degraded", 1)
    assert any("publish into the same database" in reason for reason in report["reasons"])
    first.stop()
    report = wait_until(lambda: found if not (found := second.health())["history"]["others"] else None)
    # Where both published at the very moment in which the second recalled, it saw the fork, and goes on saying so.
    assert all("The sequence forked" in reason for reason in report["reasons"])
