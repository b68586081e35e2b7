"""A real PostgreSQL for tests, which can be stopped and started."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psutil
import psycopg

from tests.ports import free_port
from tests.processes import need


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

    def stop(self, mode: str = "immediate") -> None:
        """Stop at once, as a crash does; or "fast", as an administrator does."""
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-m", mode, "-w", "stop")

    def _find_processes(self) -> list[psutil.Process]:
        """The server and all processes of its sessions; none where it does not run."""
        try:
            parent = psutil.Process(int((self._folder / "data/postmaster.pid").read_text().split()[0]))
            return [parent, *parent.children(recursive=True)]
        except (OSError, psutil.NoSuchProcess):
            return []

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to all of it: SIGSTOP makes it hang, with its connections open."""
        for process in self._find_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def hang(self) -> None:
        """Nothing of it runs any more; connections stay open."""
        self.signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        """After `hang`."""
        self.signal_all(signal.SIGCONT)

    def kill(self) -> None:
        """End it the hard way, sessions included."""
        processes = self._find_processes()
        self.signal_all(signal.SIGKILL)
        psutil.wait_procs(processes, 15)

    def terminate_connections(self) -> None:
        """As an administrator would."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )

    def remove(self) -> None:
        """End it, whatever state it is in, and leave nothing."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
