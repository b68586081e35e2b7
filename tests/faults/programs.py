"""PostgreSQL as a process of a test's own."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psutil
import psycopg

from tests.processes import free_port, need, wait_until


class PostgreSQL:
    """A PostgreSQL of its own, whose processes can be ended or stopped together."""

    def __init__(self) -> None:
        """Make an empty database cluster. Its folder is not the test's: another user must be able to get there."""
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        self._programs = Path(need(found[-1] if found else "/usr/lib/postgresql/initdb", "PostgreSQL")).parent
        self._folder = Path(tempfile.mkdtemp(prefix="faults-postgresql-"))
        self._owner: str | None = None
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self._owner = "postgres"
            shutil.chown(self._folder, self._owner)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        words = ["-D", str(self._folder / "data"), "-A", "trust", "-E", "UTF8", "-U", "quantum"]
        subprocess.run(
            [str(self._programs / "initdb"), *words],
            check=True,
            capture_output=True,
            timeout=60,
            user=self._owner,
            cwd=self._folder,
        )

    @property
    def url(self) -> str:
        return f"postgres://quantum@127.0.0.1:{self.port}/postgres"

    def start(self) -> "PostgreSQL":
        """Start, and wait until it answers."""
        words = ["-D", str(self._folder / "data"), "-p", str(self.port), "-k", str(self._folder)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), *words, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
                stdout=log,
                stderr=log,
                user=self._owner,
                cwd=self._folder,
            )
        wait_until(self._answers, what="PostgreSQL answers")
        return self

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _signal_all(self, number: signal.Signals) -> None:
        """All its processes: the sessions' are not in its process group."""
        assert self._process is not None
        parent = psutil.Process(self._process.pid)
        for process in [parent, *parent.children(recursive=True)]:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue

    def hang(self) -> None:
        """Nothing of it runs any more; connections stay open."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        """After `hang`."""
        self._signal_all(signal.SIGCONT)

    def kill(self) -> None:
        """End it the hard way, sessions included."""
        self._signal_all(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(15)

    def stop(self) -> None:
        """End it with its sessions (fast shutdown)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)

    def terminate_connections(self) -> None:
        """As an administrator would."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )

    def remove(self) -> None:
        """End it, whatever state it is in, and delete its folder."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
