"""A real PostgreSQL for tests, which can be stopped and started."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psutil

from tests.processes import free_port, need


class Postgresql:
    """A server with a folder and a port of its own; not started yet."""

    def __init__(self) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        self._programs = Path(need(found[-1] if found else "/usr/lib/postgresql/initdb", "PostgreSQL")).parent
        self._folder = Path(tempfile.mkdtemp())  # not in pytest's: another user must be able to get there
        self._as_owner: list[str] = []
        self.port = free_port()
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self._folder, "postgres")
            self._as_owner = ["runuser", "-u", "postgres", "--"]
        self._run("initdb", "-D", f"{self._folder}/data", "-A", "trust", "-E", "UTF8", "-U", "quantum")

    @property
    def url(self) -> str:
        """Its DATABASE_URL."""
        return f"postgres://quantum@127.0.0.1:{self.port}/postgres"

    def _run(self, program: str, *words: str) -> None:
        command = [*self._as_owner, str(self._programs / program), *words]
        subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=self._folder)

    def start(self, *, safe: bool = False) -> "Postgresql":
        """Start, and wait until it answers; `safe`: as a deployment does, what is written is on the disk."""
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1"
        options += "" if safe else " -c fsync=off"
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-o", options, "-l", f"{self._folder}/log", "-w", "start")
        return self

    def stop(self) -> None:
        """Stop at once, as a crash does."""
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-m", "immediate", "-w", "stop")

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the server and all processes of its sessions: SIGSTOP makes it hang."""
        postmaster = psutil.Process(int((self._folder / "data/postmaster.pid").read_text().split()[0]))
        for process in (postmaster, *postmaster.children(recursive=True)):
            process.send_signal(number)

    def remove(self) -> None:
        """Stop, if it runs, and leave nothing."""
        if (self._folder / "data/postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
