"""A switch reaches every process, and the admin stays usable while Redis hangs."""

import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.admin_session import LIST, AdminSession
from tests.conftest import StartServer, end
from tests.processes import Redis, Server, wait_until
from tests.test_admin import make_viewer
from tests.test_redis_source import next_with


def test_a_switch_in_one_process_takes_effect_in_all(start_server: StartServer, redis: Redis) -> None:
    """Also where the process whose admin is used is not the one that publishes."""
    servers = [start_server(kind, REDIS_URL=redis.url, METRICS_REDIS_URL=redis.url) for kind in ("daphne", "uvicorn")]
    wait_until(lambda: sorted(s.health()["publisher"] for s in servers) == ["leader", "standby"])
    standby = max(servers, key=lambda s: s.health()["publisher"])
    redis.set(portfolio__pnl="1234.5", portfolio__positions="3")
    with servers[0].connect() as one, servers[1].connect() as other:
        AdminSession(standby).click("Portfolio", "redis")
        for connection in (one, other):
            message = next_with(connection, lambda m: m["sources"]["portfolio"] == "redis")
            assert (message["pnl"], message["positions"]) == (1234.5, 3)
    for server in servers:
        assert AdminSession(server).rows()["Portfolio"]["source"].startswith("Redis")


def is_after(time_s: float) -> Callable[[dict[str, Any]], bool]:
    """A claim of a message: that it was published after that time (Unix seconds)."""
    return lambda message: bool(message["timestamp"] > time_s)


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_a_switch_is_in_effect_from_the_next_snapshot_on(start_server: StartServer, kind: str) -> None:
    """Though a process that is alone reads the choices for the next snapshot when it has written the last one."""
    server = start_server(kind, STREAM_INTERVAL="0.7")
    admin = AdminSession(server)
    for source in ("redis", "mock", "redis"):
        with server.connect() as connection:
            next_with(connection, lambda message: True)
            next_with(connection, lambda message: True)
            admin.click("AI", source)
            done_at = time.time() + 0.4  # not one that was under way: it may wait for its sources that long
            assert next_with(connection, is_after(done_at))["sources"]["ai"] == source


def test_a_switch_of_all_groups_reaches_a_connected_client(start_server: StartServer, redis: Redis) -> None:
    server = start_server(METRICS_REDIS_URL=redis.url)
    redis.set(system__cpu="12.5", ai__latency="7", portfolio__positions="3")
    admin = AdminSession(server)
    with server.connect() as connection:
        admin.get(f"{LIST}all/switch/redis/")
        admin.post(f"{LIST}all/switch/redis/")
        message = next_with(connection, lambda m: set(m["sources"].values()) == {"redis"})
        assert (message["cpu"], message["latency"], message["positions"]) == (12.5, 7, 3)
        admin.click("AI", "mock")
        admin.click("Portfolio", "mock")
        message = next_with(connection, lambda m: m["sources"]["portfolio"] == "mock")
        assert message["sources"] == {"system": "redis", "ai": "mock", "portfolio": "mock"}


def test_the_maximum_age_of_the_form_decides_what_is_stale(start_server: StartServer, redis: Redis) -> None:
    server = start_server(METRICS_REDIS_URL=redis.url)
    redis.cli("SET", "ai:latency", "7")
    admin = AdminSession(server)
    admin.click("AI", "redis")
    change = f"{LIST}2/change/"
    with server.connect() as connection:
        next_with(connection, lambda m: m["latency"] == 7 and "latency" not in m["problems"])
        redis.cli("EVAL", "redis.call('SET', 'ai:updated_at', redis.call('TIME')[1] - 100)", "0")
        next_with(connection, lambda m: m["problems"].get("latency") == "stale")
        admin.get(change)
        admin.post(change, max_age_s="1000")
        next_with(connection, lambda m: "latency" not in m["problems"])
        admin.get(change)
        admin.post(change, max_age_s="5")
        message = next_with(connection, lambda m: m["problems"].get("latency") == "stale")
        assert message["latency"] == 7
        assert re.search(r"\d{3}\.\d s", admin.rows()["AI"]["age"])


def test_the_list_answers_while_redis_hangs(start_server: StartServer, redis: Redis) -> None:
    server = start_server(METRICS_REDIS_URL=redis.url)
    admin = AdminSession(server)
    admin.click("AI", "redis")
    redis.send(signal.SIGSTOP)
    assert "does not answer: no answer within 0.8 s" in admin.rows()["AI"]["text"]
    wait_until(lambda: "unreachable" in admin.rows()["AI"]["reads_now"])
    assert admin.click("AI", "mock")[0] == 200  # the way out works, too
    assert admin.rows()["AI"]["source"].startswith("Simulated")


def test_two_people_who_press_the_same_button_switch_once(start_server: StartServer) -> None:
    server = start_server()
    admin, other = AdminSession(server), AdminSession(server)
    admin.get(LIST)
    other.get(LIST)
    admin.post(f"{LIST}2/switch/redis/")
    _, page = other.post(f"{LIST}2/switch/redis/")
    assert "nothing to switch" in page
    assert admin.log().count("Switched from Simulated (mock) to Redis.") == 1


@pytest.fixture
def viewer(tmp_path: Path, prepared_database: Path) -> Iterator[AdminSession]:
    """Staff who may look at the sources and nothing else; what is forbidden, Django logs with a traceback."""
    shutil.copy(prepared_database, tmp_path)
    server = Server(tmp_path).start()
    make_viewer(server)
    yield AdminSession(server, "viewer")
    end(server)


def test_staff_who_may_only_look_have_no_way_to_change(viewer: AdminSession) -> None:
    _, page = viewer.get(LIST)
    assert "/switch/" not in page
    assert viewer.post(f"{LIST}all/switch/redis/")[0] == 403
    _, page = viewer.get(f"{LIST}2/change/")
    assert 'name="max_age_s"' not in page
    assert viewer.post(f"{LIST}2/change/", max_age_s="1", use_fallbacks="on")[0] == 403
    for kind in ("redis", "mock"):
        assert viewer.post(f"{LIST}2/switch/{kind}/")[0] == 403
    (message,) = viewer.server.receive(1)
    assert message["sources"] == {"system": "host", "ai": "mock", "portfolio": "mock"}
    row = viewer.rows()["AI"]
    assert "Redis values older than 30 s are stale" in row["text"]
    assert "Simulated" in row["source"]
    assert "Switched" not in viewer.log()


def test_a_form_from_another_site_switches_nothing(start_server: StartServer) -> None:
    admin = AdminSession(start_server())
    admin.page = ""  # no page of this site was read: no token
    assert admin.post(f"{LIST}2/switch/redis/")[0] == 403
    assert admin.rows()["AI"]["source"].startswith("Simulated")
