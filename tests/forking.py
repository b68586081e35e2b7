"""Asks a fork server (tests/fork_server.py) for processes; what it starts is a child of this process."""

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import IO, Any

from tests.fork_server import Request

ROOT = Path(__file__).resolve().parent.parent
#: prctl(2): orphans among this process's descendants become its children.
PR_SET_CHILD_SUBREAPER = 36
#: For processes whose coverage nobody needs: measuring it makes a start half as long again.
UNMEASURED = {"COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""}


class Forked:
    """As much of `subprocess.Popen` as tests need, for a child that somebody else forked."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait `timeout` seconds at most. Raises subprocess.TimeoutExpired."""
        if self.poll() is None:
            descriptor = os.pidfd_open(self.pid)
            try:
                select.select([descriptor], [], [], timeout)
            finally:
                os.close(descriptor)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(["manage.py"], timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """One for this process; it ends when this process does."""

    def __init__(self) -> None:
        self._channel, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fork_server", str(far.fileno())],
            cwd=ROOT,
            env={**os.environ, **UNMEASURED, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            pass_fds=[far.fileno()],
        )
        far.close()

    def start(self, request: Request, *descriptors: int) -> Forked:
        """Start a process with these descriptors as its input, its output and its errors."""
        message = json.dumps(request).encode()
        with self._lock:
            self._adopt_orphans(True)
            try:
                socket.send_fds(self._channel, [message], list(descriptors))
                pid, _ = self._channel.recv(100), self._channel.recv(100)
            finally:
                self._adopt_orphans(False)
        assert pid, "the fork server ended"
        return Forked(int(pid))

    @staticmethod
    def _adopt_orphans(is_wanted: bool) -> None:
        assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(is_wanted), 0, 0, 0) == 0


@cache
def find_server() -> ForkServer:
    """This process's."""
    return ForkServer()


def can_fork(words: list[str], environment: dict[str, str]) -> bool:
    """Whether a fork does the same: no variable is set that an interpreter reads when it starts."""
    read_early = [name for name in environment if name == "LD_PRELOAD" or name.startswith("PYTHON")]
    return (
        sys.platform == "linux"
        and words[:2] == [sys.executable, "manage.py"]
        and words[2:3] != ["runserver"]  # it starts itself again
        and all(environment[name] == os.environ.get(name) or name == "PYTHONUNBUFFERED" for name in read_early)
    )


Files = tuple[IO[Any], IO[Any], IO[Any]]


def start(
    words: list[str], folder: Path, environment: dict[str, str], files: Files
) -> "subprocess.Popen[bytes] | Forked":
    """Start a process in `folder`, by a fork where that does the same. `files`: its input, output and errors."""
    if folder != ROOT or not can_fork(words, environment):
        return start_interpreter(words, folder, environment, files)
    return find_server().start(Request(words[1:], str(folder), environment), *(file.fileno() for file in files))


def start_interpreter(
    words: list[str], folder: Path, environment: dict[str, str], files: Files
) -> "subprocess.Popen[bytes]":
    """See `start`; never by a fork."""
    stdin, stdout, stderr = files
    return subprocess.Popen(words, cwd=folder, env=environment, stdin=stdin, stdout=stdout, stderr=stderr)
