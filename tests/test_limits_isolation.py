"""What must go on shares no thread, no connection and no queue with what strangers can ask for."""

import os
import socket
from contextlib import ExitStack

import psycopg
import pytest

from tests.conftest import StartServer
from tests.postgresql import Postgresql
from tests.processes import Server, wait_until
from tests.test_limits import ask, connect
from tests.test_slow_clients import filled_database, resident_kib, start_with_history

__all__ = ["filled_database", "start_with_history"]  # fixtures

#: Who asks for something that hangs, at once.
STRANGERS = 60


def begin_to_ask(server: Server, path: str, cookie: str = "") -> socket.socket:
    """Ask, and do not wait for the answer."""
    stranger = socket.socket()
    stranger.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stranger.connect(("127.0.0.1", server.port))
    stranger.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode())
    return stranger


def count_threads(server: Server) -> int:
    return len(os.listdir(f"/proc/{server.pid}/task"))


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_strangers_whose_requests_hang_keep_nothing_from_going_on(
    postgresql_server: Postgresql, start_server: StartServer, kind: str
) -> None:
    """Sessions and history are locked, so all that strangers ask for hangs; who reads the choice is not locked out."""
    url = postgresql_server.start().url
    server = start_server(kind, DATABASE_URL=url)
    with psycopg.connect(url) as locking, psycopg.connect(url, autocommit=True) as staff, ExitStack() as stack:
        locking.execute("LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE")
        locking.execute("LOCK TABLE metrics_sourceswitch IN ACCESS EXCLUSIVE MODE")
        for number in range(STRANGERS):
            path = "/admin/" if number % 2 else "/stream/history?from=0"
            stack.enter_context(begin_to_ask(server, path, f"sessionid={'x' * 31}{number % 10}"))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        wait_until(lambda: (staff.execute(waiting).fetchone() or (0,))[0] >= 4, what="strangers' requests hang")
        assert (staff.execute(waiting).fetchone() or (99,))[0] <= 10
        assert count_threads(server) < 60
        published = server.health()["ticks"]["published"]
        staff.execute("UPDATE metrics_datasource SET kind = 'redis' WHERE \"group\" = 'ai'")
        wait_until(lambda: server.receive(1)[0]["sources"]["ai"] == "redis", what="staff's choice")
        wait_until(lambda: server.health()["ticks"]["published"] > published + 5, what="ticks")
        assert server.health()["status"] != "down"
        assert ask(connect(server)) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_exports_that_nobody_reads_take_little_memory_and_give_it_back(
    start_with_history: StartServer, kind: str
) -> None:
    server = start_with_history(kind)
    assert ask(connect(server), "/stream/history?points=400") == b"HTTP/1.1 200 OK"
    before = resident_kib(server)
    for _ in range(2):
        with ExitStack() as stack:
            readers = [stack.enter_context(begin_to_ask(server, "/stream/history?from=0")) for _ in range(20)]
            for reader in readers:
                reader.settimeout(60)
            heads = [reader.recv(12) for reader in readers]
            assert heads.count(b"HTTP/1.1 200") == 8
            assert heads.count(b"HTTP/1.1 503") == 12
            assert resident_kib(server) - before < 50_000
        wait_until(lambda: ask(connect(server), "/stream/history?points=400").startswith(b"HTTP/1.1 200"), 30)
    assert resident_kib(server) - before < 40_000


def test_pages_are_served_a_few_at_a_time(start_server: StartServer) -> None:
    server = start_server()
    before = count_threads(server)
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(begin_to_ask(server, "/account/login/"))
        assert count_threads(server) < before + 15
        assert ask(connect(server), "/stream/health/live") == b"HTTP/1.1 200 OK"
        assert count_threads(server) < before + 15
