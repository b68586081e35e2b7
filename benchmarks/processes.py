"""Server processes: starting them, ending them, and what the kernel says they used."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class StartError(Exception):
    """A program did not start; the message ends with what it wrote last."""


@dataclass(frozen=True)
class Program:
    """One program that a peer consists of. `port`: it is ready when it listens there; None: as soon as it runs.

    `is_server`: its CPU time and memory are the server's (a stand-in for the AI engine, say, is not).
    """

    argv: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    port: int | None = None
    is_server: bool = True


def listens(port: int) -> bool:
    """Whether anybody listens at `port` of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Running:
    """A program that runs, in a session of its own, with all the processes that it makes."""

    def __init__(self, program: Program, log: Path) -> None:
        """Start it; its output goes to the file `log`. Raises StartError where its port is taken."""
        if program.port is not None and listens(program.port):
            raise StartError(f"port {program.port} is taken: choose others with --port")
        self.program = program
        self._log = log
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **program.environment}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                program.argv,
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_until_ready(self, patience_s: float = 30.0) -> None:
        """Wait until it listens at its port. Raises StartError where it ends or does not."""
        limit = time.monotonic() + patience_s
        while self.program.port is not None:
            if self._process.poll() is not None or time.monotonic() > limit:
                words = self._log.read_text(errors="replace").strip().splitlines()[-3:]
                raise StartError(f"{Path(self.program.argv[0]).name} did not start: {' / '.join(words)}")
            if listens(self.program.port):
                return
            time.sleep(0.02)

    def pids(self) -> list[int]:
        """Its processes."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._owns(pid)]

    def _owns(self, pid: int) -> bool:
        try:
            return os.getsid(pid) == self._process.pid
        except ProcessLookupError:
            return False

    def kill(self) -> None:
        """End all of it at once, and wait for that."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@dataclass(frozen=True)
class Usage:
    """CPU seconds: `total` from the kernel's exact clock; `user` and `system` in ticks of 10 ms from /proc."""

    total: float
    user: float
    system: float

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(self.total - other.total, self.user - other.user, self.system - other.system)


def cpu_usage(pids: Sequence[int]) -> Usage:
    """CPU time that the processes used since they began, threads included."""
    total = user = system = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        user += int(fields[11]) / TICKS_PER_S
        system += int(fields[12]) / TICKS_PER_S
        total += time.clock_gettime(~pid << 3 | 2)  # Linux: a process's own CPU clock (clock_getcpuclockid(3))
    return Usage(total, user, system)


def memory_bytes(pids: Sequence[int]) -> int:
    """Memory that the processes take, shared pages divided among those that share them (PSS). No socket buffers."""
    total = 0
    for pid in pids:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += 1024 * int(rollup.partition("\nPss:")[2].split()[0])
    return total


def raise_file_limit() -> int:
    """Allow this process and its children as many open files as the system lets us; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(hard, 65536)
    for limit in ((wanted, wanted), (hard, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        except (ValueError, OSError):
            continue
        return limit[0]
    return soft
