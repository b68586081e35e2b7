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
from dataclasses import dataclass, field
from pathlib import Path

from streaming.servers import other_workers

logger = logging.getLogger(__name__)

#: Seconds that a worker may take until it serves, and to end beyond its own limit.
READY_S, BEYOND_S = 60.0, 5.0
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
    ready: int = field(default=-1)  # becomes readable when it serves


class Workers:
    """The parent's view."""

    def __init__(self, count: int, listening: socket.socket, words: Sequence[str], end_within_s: float) -> None:
        """`words`: the command line of a worker. `end_within_s`: how long one may take to end when it is told to.

        Raises OSError where there is no folder for temporary files, or its path is too long for a socket in it.
        """
        self._listening = listening
        self._words = words
        self._end_within_s = end_within_s + BEYOND_S
        self._workers = [Worker(number) for number in range(1, count + 1)]
        self._folder = tempfile.TemporaryDirectory(prefix="quantum-dashboard-")
        self._known = other_workers.Workers(Path(self._folder.name), 0, count)
        self._known.check_folder()
        self._woken, self._wake = socket.socketpair()

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
            self._replace_the_dead()
            if signal.SIGHUP in signals and not self._restart_in_turn():
                break
        self._end([worker.process for worker in self._workers if worker.process is not None])
        self._folder.cleanup()

    def _wait(self, seconds: float) -> set[int]:
        """Wait for signals; which came."""
        select.select([self._woken], [], [], seconds)
        try:
            return set(self._woken.recv(4096))
        except BlockingIOError:
            return set()

    def _start(self, worker: Worker) -> None:
        ready, told = os.pipe()
        descriptor = self._listening.fileno()
        environment = {**os.environ, "WORKERS": "1", **self._known.describe(worker.number)}
        worker.process = subprocess.Popen(  # noqa: S603 - our own command
            [*self._words, "--listen-fd", str(descriptor), "--ready-fd", str(told)],
            pass_fds=(descriptor, told),
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        os.close(told)
        if worker.ready >= 0:
            os.close(worker.ready)
        worker.ready, worker.began = ready, time.monotonic()

    def _is_ready(self, worker: Worker) -> bool:
        """Whether `worker` tells within READY_S that it serves."""
        readable, _, _ = select.select([worker.ready], [], [], READY_S)
        return bool(readable) and os.read(worker.ready, 1) != b""

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


def worker_words(server: str) -> list[str]:
    """The command line of a worker, without its descriptors."""
    return [sys.executable, sys.argv[0], "serve", "--server", server]
