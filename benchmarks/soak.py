"""`python -m benchmarks.soak`: one server for a long time, at ten snapshots a second, with clients that come and go.

Memory, open files, threads and the loop's lag must stay flat, and no client may miss anything.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.peers.ours import Ours
from benchmarks.peers.peer import Stage
from benchmarks.processes import Running

INTERVAL_S = 0.1
#: Snapshots that stay in memory: so few that they are all there after two minutes.
KEPT = 1200


class Look(NamedTuple):
    """The server at one moment. `lag_s`: the longest wait for its loop in the last half minute."""

    minute: float
    memory_mib: float
    files: int
    threads: int
    lag_s: float
    clients: int


def look(pid: int, port: int, began: float) -> Look:
    """Ask the kernel, and the server's health."""
    process = psutil.Process(pid)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stream/health", timeout=10) as answer:
        health = json.load(answer)
    return Look(
        round((time.monotonic() - began) / 60, 1),
        round(process.memory_info().rss / 2**20, 1),
        process.num_fds(),
        process.num_threads(),
        health["loop"]["longest_wait"],
        health["clients"],
    )


def main() -> None:
    """Run, print a line for each look, and end with what `check_stream --torture` says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--server", choices=("daphne", "uvicorn"), default="uvicorn")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--port", type=int, default=8390)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        peer = Ours(arguments.server)
        stage = Stage(arguments.port, arguments.port + 1, INTERVAL_S, Path(folder))
        peer.prepare(stage.folder)
        (program,) = peer.programs(stage)
        program.environment["STREAM_REPLAY"] = str(KEPT)
        server = Running(program, stage.folder / "log")
        try:
            server.wait_until_ready()
            watch(server, arguments)
        finally:
            server.kill()


def watch(server: Running, arguments: argparse.Namespace) -> None:
    """Let clients come and go, and look at the server thirty times meanwhile."""
    words = ["check_stream", "--torture", str(arguments.clients), "--seconds", f"{arguments.minutes * 60:g}"]
    command = [sys.executable, "manage.py", *words, f"http://127.0.0.1:{arguments.port}"]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as clients:
        try:
            while clients.poll() is None:
                print(look(server.pids()[0], arguments.port, began), flush=True)
                time.sleep(arguments.minutes * 2)
        finally:
            clients.terminate()
        print(clients.stdout.read() if clients.stdout else "")


if __name__ == "__main__":
    main()
