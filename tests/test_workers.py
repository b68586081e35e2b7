"""Several workers at one port: they share the clients and one stream, are replaced when they end, and end together."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvicorn
from twisted.internet import reactor
from twisted.internet.protocol import Factory
from websockets.exceptions import ConnectionClosed

from streaming.servers.daphne_server import ACCEPTED, accept_few
from streaming.servers.workers import Program, count_workers
from tests.conftest import StartServer
from tests.processes import ROOT, Redis, Server, wait_until
from tests.scraping import scrape

KINDS = ["daphne", "uvicorn"]


def workers_of(server: Server) -> list[int]:
    """The processes that serve."""
    return sorted(child.pid for child in psutil.Process(server.pid).children())


@pytest.fixture
def start_workers(start_server: StartServer, redis: Redis) -> Callable[..., Server]:
    def start(kind: str, count: int = 2, **environment: Any) -> Server:
        server = start_server(kind, WORKERS=str(count), REDIS_URL=redis.url, **environment)
        wait_until(lambda: len(workers_of(server)) == count)
        wait_until(lambda: is_well(server), 40)  # the parent listens before any of them serves
        return server

    return start


def is_well(server: Server) -> bool:
    """Whether a worker answers, and says so."""
    try:
        return bool(server.health()["status"] == "ok")
    except OSError:
        return False


def count_clients(pid: int, server: Server) -> int:
    """How many connections at the server's port a worker has."""
    connections = psutil.Process(pid).net_connections("tcp")
    return sum(one.status == "ESTABLISHED" and one.laddr[1] == server.port for one in connections)


def receive_all(server: Server, after: int, count: int) -> list[int]:
    """The ids of `count` snapshots after the id `after`, whichever worker sends them and however often it goes away."""
    ids: list[int] = []
    while len(ids) < count:
        try:
            with server.connect(f"?since={ids[-1] if ids else after}") as connection:
                while len(ids) < count:
                    message = json.loads(connection.recv(timeout=20))
                    assert message["previous"] == (ids[-1] if ids else after)
                    ids.append(message["id"])
        except (ConnectionClosed, OSError, EOFError):
            continue
    return ids


@pytest.mark.parametrize("kind", KINDS)
def test_workers_have_one_stream_and_one_that_is_killed_is_replaced_without_a_loss(
    start_workers: Callable[..., Server], kind: str
) -> None:
    server = start_workers(kind)
    first = workers_of(server)
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(40)]
        newest = {json.loads(client.recv(timeout=20))["id"] for client in clients}
        assert max(newest) - min(newest) < 60_000  # one stream, not one for each
        held = {pid: count_clients(pid, server) for pid in first}
        assert sum(held.values()) == 40
        start = max(newest)
        os.kill(max(held, key=lambda pid: held[pid]), signal.SIGKILL)  # whoever accepted most of them
        wait_until(lambda: sorted(scrape(server).by("quantum_dashboard_worker_up").values()) == [0, 1])
        receive_all(server, start, 10)
    wait_until(lambda: len(workers_of(server)) == 2 and workers_of(server) != first, 40)
    assert re.search(r"Worker \d \(process \d+\) ended after \d+ s, with code -9; another one starts", server.output)
    wait_until(lambda: scrape(server).by("quantum_dashboard_worker_up") == {"1": 1, "2": 1}, 40)


@pytest.mark.parametrize("kind", KINDS)
def test_hup_replaces_all_workers_and_nobody_is_turned_away(start_workers: Callable[..., Server], kind: str) -> None:
    server = start_workers(kind)
    first = workers_of(server)
    newest = server.receive(1)[0]["id"]
    os.kill(server.pid, signal.SIGHUP)
    while not set(workers_of(server)).isdisjoint(first) or len(workers_of(server)) != 2:
        socket.create_connection(("127.0.0.1", server.port), timeout=20).close()  # somebody listens all the time
        newest = receive_all(server, newest, 2)[-1]
    wait_until(lambda: "All workers are replaced." in server.output, 40)
    wait_until(lambda: scrape(server).by("quantum_dashboard_worker_up") == {"1": 1, "2": 1})
    os.kill(server.pid, signal.SIGTERM)
    assert server.process is not None
    assert server.process.wait(30) == 0
    assert not any(psutil.pid_exists(pid) for pid in first)


def test_workers_without_a_redis_are_refused_with_what_to_do(tmp_path: Path) -> None:
    environment = {**os.environ, **Server(tmp_path).environment, "WORKERS": "4"}
    ended = subprocess.run(
        [sys.executable, "manage.py", "serve"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert "WORKERS=4 needs a Redis that the processes share" in ended.stderr
    assert "set REDIS_URL=" in ended.stderr


def test_a_worker_is_of_the_code_that_is_in_place_when_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And names its folder itself, not the link that an upgrade turns: what it imports later on is of one version."""
    for release in ("old", "new"):
        (tmp_path / release / ".venv/bin").mkdir(parents=True)
        (tmp_path / release / ".venv/bin/python").symlink_to(sys.executable)
        (tmp_path / release / "manage.py").touch()
    current = tmp_path / "current"
    current.symlink_to("old")
    monkeypatch.chdir(current)
    monkeypatch.setattr(sys, "argv", [str(current / "manage.py"), "serve"])
    monkeypatch.setattr(sys, "executable", str(current / ".venv/bin/python"))
    program = Program("daphne")
    for release in ("old", "new"):
        current.unlink()
        current.symlink_to(release)
        folder = tmp_path / release
        words = [str(folder / ".venv/bin/python"), str(folder / "manage.py"), "serve", "--server", "daphne"]
        assert program.find() == (words, folder)
    monkeypatch.chdir(tmp_path)
    assert Program("daphne").find()[1] is None  # paths in settings count from where it was started


@pytest.mark.parametrize("wanted", ["0", "-1", "many", "1.5", "1000"])
def test_a_wrong_number_of_workers_is_named(wanted: str) -> None:
    with pytest.raises(ValueError, match="a number from 1 to 256, or auto"):
        count_workers(wanted)


def test_auto_is_one_for_each_core() -> None:
    assert count_workers("auto") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_socket_that_systemd_hands_on_is_served(tmp_path: Path, kind: str) -> None:
    """As sd_listen_fds(3) says: it is descriptor 3, and the environment says whose it is."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    code = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); "
        "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
    )
    words = [sys.executable, "-c", code, str(listening.fileno()), "manage.py", "serve", "--server", kind]
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        env={**os.environ, **Server(tmp_path, kind).environment},
        pass_fds=[listening.fileno()],
        stdout=subprocess.DEVNULL,
    )
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as early:  # before anybody serves
            early.sendall(b"GET /stream/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert early.recv(100).startswith(b"HTTP/1.1 200")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        listening.close()


@pytest.fixture
def crowded() -> Iterator[socket.socket]:
    """A socket that listens, with 40 connections that wait to be accepted."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
        listening.setblocking(False)
        for _ in range(40):
            stack.enter_context(socket.create_connection(listening.getsockname()))
        yield listening


def test_daphne_accepts_few_of_those_who_wait_in_a_turn_and_leaves_others_their_part(crowded: socket.socket) -> None:
    factory = CountingFactory()
    port = reactor.adoptStreamPort(crowded.fileno(), crowded.family, factory)
    accept_few(port)
    for turn in range(1, 11):
        port.doRead()
        assert factory.accepted == turn * ACCEPTED
    port.stopListening()


class CountingFactory(Factory):  # type: ignore[misc]  # it has no types
    accepted = 0

    def buildProtocol(self, addr: object) -> None:
        """Count, and close."""
        self.accepted += 1


def test_the_loop_of_uvicorn_accepts_one_of_those_who_wait_in_a_turn(crowded: socket.socket) -> None:
    turns: list[int] = [0]
    accepted: list[int] = []

    class Counting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(turns[0])

    async def count() -> None:
        server = await asyncio.get_running_loop().create_server(Counting, sock=crowded, backlog=4096)
        while len(accepted) < 40:
            turns[0] += 1
            await asyncio.sleep(0)
        server.close()

    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        runner.run(count())
    assert len(set(accepted)) == 40
