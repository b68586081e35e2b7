"""Several server processes at one port, and a parent that sees to it that they live.

The parent opens the port and serves nothing itself. Each worker is `manage.py serve` with the socket handed on; they
take connections from the same queue, so whoever is busy takes fewer. One that ends is replaced (its clients come back
to the others, with `since`), SIGHUP replaces one after the other, and SIGTERM ends all of them as it ends one server.
"""

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from streaming.servers import other_workers
from streaming.supervisor import notify, without_notifications

logger = logging.getLogger(__name__)

#: Seconds that a worker may take until it serves, and to end beyond its own limit.
READY_S, BEYOND_S = 60.0, 5.0
#: Seconds without a pulse (streaming.runtime) after which a worker hangs, and until it is ended the hard way.
HANGS_S, ABORT_S = 60.0, 5.0
#: A worker that lives shorter than this waits before it is started again, longer each time, at most so long.
SHORT_LIFE_S, LONGEST_PAUSE_S = 5.0, 30.0
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass
class Worker:
    """A worker's place. `failures`: how often in a row it ended soon."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    failures: int = 0
    start_at: float = 0.0
    ready: int = field(default=-1)  # becomes readable when it serves, and with each pulse
    aborted_at: float | None = None
    pulse: float | None = None  # when the newest came; None: it does not serve yet


class Workers:
    """The parent's view."""

    def __init__(self, count: int, listening: socket.socket, program: "Program", end_within_s: float) -> None:
        """`program`: what a worker is. `end_within_s`: how long one may take to end when it is told to.

        Raises OSError where there is no folder for temporary files, or its path is too long for a socket in it.
        """
        self._listening = listening
        self._program = program
        self._end_within_s = end_within_s + BEYOND_S
        self._workers = [Worker(number) for number in range(1, count + 1)]
        self._folder = tempfile.TemporaryDirectory(prefix="quantum-dashboard-")
        self._known = other_workers.Workers(Path(self._folder.name), 0, count)
        self._known.check_folder()
        self._woken, self._wake = socket.socketpair()
        self._is_told = False  # systemd: that somebody serves

    def run(self) -> None:
        """Start them, and keep them alive until SIGTERM or SIGINT."""
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)  # it wakes `_wait`
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for worker in self._workers:
            self._start(worker)
        while not (signals := self._wait(1.0)) & {signal.SIGTERM, signal.SIGINT}:
            self._end_those_that_hang()
            self._replace_the_dead()
            if signal.SIGHUP in signals and not self._restart_in_turn():
                break
        notify("STOPPING=1")
        self._end([worker.process for worker in self._workers if worker.process is not None])
        self._folder.cleanup()

    def _wait(self, seconds: float) -> set[int]:
        """Wait for signals, a moment at most; which came. Meanwhile workers are heard, and systemd is told."""
        select.select([self._woken], [], [], seconds)
        self._take_pulses()
        try:
            return set(self._woken.recv(4096))
        except BlockingIOError:
            return set()

    def _start(self, worker: Worker) -> None:
        ready, told = os.pipe()
        descriptor = self._listening.fileno()
        environment = {
            **without_notifications(dict(os.environ)),
            "WORKERS": "1",
            **self._known.describe(worker.number),
        }
        words, folder = self._program.find()
        worker.process = subprocess.Popen(  # noqa: S603 - our own command
            [*words, "--listen-fd", str(descriptor), "--ready-fd", str(told)],
            cwd=folder,
            pass_fds=(descriptor, told),
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        os.close(told)
        if worker.ready >= 0:
            os.close(worker.ready)
        os.set_blocking(ready, False)
        worker.ready, worker.began, worker.pulse = ready, time.monotonic(), None
        worker.aborted_at = None

    def _take_pulses(self) -> None:
        """Note who is well, and tell systemd that somebody serves and that this process goes on."""
        for worker in self._workers:
            with suppress(BlockingIOError):
                if worker.ready >= 0 and os.read(worker.ready, 4096):
                    worker.pulse = time.monotonic()
        if not self._is_told and any(worker.pulse is not None for worker in self._workers):
            self._is_told = True
            notify("READY=1")
        notify("WATCHDOG=1")

    def _end_those_that_hang(self) -> None:
        """A worker that serves and has had no pulse for HANGS_S ends; with a traceback where it still can (SIGABRT)."""
        now = time.monotonic()
        for worker in self._workers:
            silent_s = 0.0 if worker.pulse is None else now - worker.pulse
            if worker.process is None or silent_s <= HANGS_S:
                continue
            if worker.aborted_at is None:
                who = f"Worker {worker.number} (process {worker.process.pid})"
                logger.error("%s hangs: no pulse for %.0f s. It is ended, and another one starts.", who, silent_s)
                worker.aborted_at = now
                worker.process.send_signal(signal.SIGABRT)
            elif now - worker.aborted_at > ABORT_S:
                worker.process.kill()

    def _is_ready(self, worker: Worker) -> bool:
        """Whether `worker` tells within READY_S that it serves."""
        limit = time.monotonic() + READY_S
        while worker.pulse is None and time.monotonic() < limit:
            if worker.process is None or worker.process.poll() is not None:
                return False
            select.select([worker.ready], [], [], 1.0)
            self._take_pulses()
        return worker.pulse is not None

    def _replace_the_dead(self) -> None:
        """Start those again that ended; who ended soon waits for a while."""
        now = time.monotonic()
        for worker in self._workers:
            if worker.process is not None and (code := worker.process.poll()) is not None:
                lived_s = now - worker.began
                worker.failures = worker.failures + 1 if lived_s < SHORT_LIFE_S else 0
                pause_s = min(2.0 ** (worker.failures - 1), LONGEST_PAUSE_S) if worker.failures else 0.0
                logger.error(
                    "Worker %d (process %d) ended after %.0f s, with code %d; another one starts%s.",
                    worker.number,
                    worker.process.pid,
                    lived_s,
                    code,
                    f" in {pause_s:.0f} s" if pause_s else "",
                )
                worker.process, worker.start_at = None, now + pause_s
            if worker.process is None and now >= worker.start_at:
                self._start(worker)

    def _restart_in_turn(self) -> bool:
        """Replace each worker by a new one that serves already; False where this process was told to end meanwhile."""
        logger.info("Replacing %d workers, one after the other.", len(self._workers))
        for worker in self._workers:
            old = worker.process
            self._start(worker)
            if not self._is_ready(worker):
                logger.error("A new worker %d does not serve; the old ones stay.", worker.number)
                self._end([worker.process] if worker.process else [])
                worker.process = old
                return True
            if old is not None:
                old.send_signal(signal.SIGTERM)
                if not self._wait_for(old):
                    return False
        logger.info("All workers are replaced.")
        return True

    def _wait_for(self, process: "subprocess.Popen[bytes]") -> bool:
        """Wait until `process` has ended; False where this one was told to end meanwhile."""
        limit = time.monotonic() + self._end_within_s
        while process.poll() is None:
            if self._wait(0.2) & {signal.SIGTERM, signal.SIGINT}:
                self._end([process])
                return False
            if time.monotonic() > limit:
                process.kill()
        return True

    def _end(self, processes: Sequence["subprocess.Popen[bytes]"]) -> None:
        """Have all of them end, at the latest when their time is over."""
        for process in processes:
            process.send_signal(signal.SIGTERM)
        limit = time.monotonic() + self._end_within_s
        for process in processes:
            try:
                process.wait(max(limit - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                logger.error("Process %d did not end in time and is killed.", process.pid)
                process.kill()
                process.wait()


def count_workers(wanted: str) -> int:
    """How many `wanted` says: a number, or "auto" for one on each core. Raises ValueError where it is neither."""
    if wanted == "auto":
        return len(os.sched_getaffinity(0))
    if not wanted.isdigit() or not 1 <= int(wanted) <= 256:
        raise ValueError(f"WORKERS is {wanted!r}: it must be a number from 1 to 256, or auto (one on each core).")
    return int(wanted)


class Program:
    """What a worker is: `manage.py serve` of the code that is in place when it starts.

    An upgrade puts another folder behind the link by which this process was started (`/opt/…/current`). A worker gets
    the folder itself: what it imports later on comes from there, too, wherever the link leads by then.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._manage = Path(sys.argv[0]).absolute()
        self._runs_beside_it = Path.cwd() == self._manage.parent.resolve()

    def find(self) -> tuple[list[str], Path | None]:
        """The command line, without the descriptors, and the folder to run in (None: this process's)."""
        interpreter = Path(sys.executable)  # a link itself, to be kept: it is what makes the virtual environment one
        manage = self._manage.resolve()
        words = [interpreter.parent.resolve() / interpreter.name, manage, "serve", "--server", self._server]
        return [*map(str, words)], manage.parent if self._runs_beside_it else None
