"""What systemd, or the parent of several workers, is told: that a server serves, and that it does not hang."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streaming.hanging import PATIENCE_S, explain_hang
from tests.conftest import end
from tests.processes import ROOT, Server, wait_until


class Systemd:
    """The end of NOTIFY_SOCKET at which systemd listens."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(60)

    def hear(self) -> str:
        return self._socket.recv(4096).decode()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["file", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    listener = Systemd(str(tmp_path / "notify") if request.param == "file" else f"@quantum-{os.getpid()}")
    yield listener
    listener.close()


# --- one process ---


@pytest.mark.usefixtures("new_interpreters")
@pytest.mark.parametrize("systemd", ["file"], indirect=True)
def test_a_server_says_that_it_serves_and_is_well_also_while_redis_and_the_database_are_away(
    tmp_path: Path, systemd: Systemd
) -> None:
    away = {"REDIS_URL": "redis://127.0.0.1:1/0", "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"}
    server = Server(tmp_path, "uvicorn", NOTIFY_SOCKET=systemd.address, **away)
    server.spawn()
    try:
        assert systemd.hear() == "READY=1"
        assert server.listens()
        assert [systemd.hear() for _ in range(2)] == ["WATCHDOG=1"] * 2
        assert server.health()["status"] == "down"
    finally:
        end(server)


# --- what hangs, and what does not ---


def runs(**values: Any) -> dict[str, Any]:
    """A process that is well, except for `values`."""
    publisher = SimpleNamespace(interval_s=3.0, ticked_at=100.0, published_at=100.0)
    hub = SimpleNamespace(arrived_at=100.0)
    return {"publisher": publisher, "hub": hub, "tasks": [], "is_shared": False, "now": 101.0, **values}


def test_a_process_that_works_does_not_hang() -> None:
    assert explain_hang(**runs()) is None
    assert explain_hang(**runs(publisher=None, now=1e6)) is None  # it does not publish: others may be why nothing comes


def test_a_tick_without_an_end_hangs() -> None:
    assert "tick has not come to its end" in str(explain_hang(**runs(now=103.1 + PATIENCE_S)))
    assert explain_hang(**runs(now=102.9 + PATIENCE_S)) is None
    waits = SimpleNamespace(interval_s=3600.0, ticked_at=100.0, published_at=100.0)
    assert explain_hang(**runs(publisher=waits, now=3600.0)) is None


def test_a_publisher_that_learns_or_starts_again_does_not_hang_however_long_redis_is_away() -> None:
    learns = SimpleNamespace(interval_s=3.0, ticked_at=None, published_at=None)
    assert explain_hang(**runs(publisher=learns, now=1e6)) is None


def test_a_hub_that_does_not_hear_its_own_process_hangs_unless_a_redis_may_be_why() -> None:
    speaks = SimpleNamespace(interval_s=3.0, ticked_at=200.0, published_at=200.0)
    assert "the hub has not passed on" in str(explain_hang(**runs(publisher=speaks, now=200.0)))
    assert explain_hang(**runs(publisher=speaks, now=200.0, is_shared=True)) is None
    assert explain_hang(**runs(publisher=speaks, now=200.0, hub=SimpleNamespace(arrived_at=None))) is None


def test_a_task_that_has_ended_is_named() -> None:
    async def look() -> str | None:
        task = asyncio.create_task(asyncio.sleep(0), name="doorkeeper")
        await task
        return explain_hang(**runs(tasks=[task]))

    assert asyncio.run(look()) == "doorkeeper has ended"


# --- several workers ---

#: A parent whose workers say that they serve and then nothing more; where one lives again, it goes on for good.
PARENT = """
import logging, socket, sys
from streaming.servers import workers
logging.basicConfig()
workers.HANGS_S, workers.ABORT_S = 1.0, 0.5
folder = sys.argv[1]
code = f'''
import os, pathlib, signal, sys, time
assert "NOTIFY_SOCKET" not in os.environ
hangs = not pathlib.Path("{folder}/one").exists()
pathlib.Path("{folder}/one").touch()
if hangs:
    signal.signal(signal.SIGABRT, signal.SIG_IGN)
while os.write(int(sys.argv[-1]), b"1"):
    time.sleep(1000 if hangs else 0.1)
'''
class Program:
    def find(self):
        return [sys.executable, "-S", "-c", code], None
workers.Workers(1, socket.create_server(("127.0.0.1", 0)), Program(), 1).run()
"""


def test_a_worker_that_hangs_is_ended_and_replaced_and_the_parent_speaks_for_all(
    tmp_path: Path, systemd: Systemd
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as errors:
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(tmp_path)],
            cwd=ROOT,
            stderr=errors,
            env={**os.environ, "NOTIFY_SOCKET": systemd.address},
        )
    try:
        while (said := systemd.hear()) != "READY=1":  # when a worker serves
            assert said == "WATCHDOG=1"
        wait_until(lambda: "another one starts." in log.read_text())
        wait_until(lambda: "ended after" in log.read_text())
        assert systemd.hear() == "WATCHDOG=1"
        said_so_far = log.read_text()
        assert "Worker 1 (process" in said_so_far
        assert "code -9" in said_so_far  # it did not end by SIGABRT
    finally:
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(30) == 0
    assert log.read_text() == said_so_far  # the next one is well
