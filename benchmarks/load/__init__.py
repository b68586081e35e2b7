"""The load generator, seen from the harness: a process of its own that is told what to do over its standard input."""

import json
import subprocess
import sys
from types import TracebackType
from typing import Any

from benchmarks.processes import PROJECT

Answer = dict[str, Any]


class LoadError(Exception):
    """The load generator ended unasked; the message is the last thing it said."""


class Load:
    """Thousands of WebSocket clients of one server.

    Every method waits for its answer, a dictionary that benchmarks/load/swarm.py describes; every one is bounded by a
    time that the caller gives.
    """

    def __init__(
        self, port: int, path: str, *, own_payloads: bool = False, same: bool = False, look_every_ms: float = 1.0
    ) -> None:
        """`own_payloads`: the server makes a payload of its own for each connection. `same`: all are sent the same.

        `look_every_ms`: see Swarm.
        """
        argv = [sys.executable, "-m", "benchmarks.load", str(port), path, str(look_every_ms), *["same"] * same]
        self._own_payloads = own_payloads
        self._process = subprocess.Popen(
            argv, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Load":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def connect(self, count: int, *, timeout_s: float, in_flight: int = 200) -> Answer:
        """Open `count` more connections, `in_flight` handshakes at a time, each from its first SYN to its 101."""
        return self._ask("connect", count=count, in_flight=in_flight, timeout_s=timeout_s)

    def disconnect(self, count: int) -> Answer:
        """Close the `count` newest connections."""
        return self._ask("disconnect", count=count)

    def mark(self, *, patience_s: float) -> Answer:
        """Wait until everybody has the newest snapshot (at most `patience_s`), then say what came since last time."""
        return self._ask("mark", patience_s=0.0 if self._own_payloads else patience_s)

    def keep_coming_back(self) -> Answer:
        """From now on, connect again at once when the server closes a connection, until wait_until_back()."""
        return self._ask("keep_coming_back")

    def wait_until_back(self, *, timeout_s: float) -> Answer:
        """Wait until every connection that was lost is open again and has got a snapshot."""
        return self._ask("wait_until_back", timeout_s=timeout_s)

    def _ask(self, name: str, **arguments: float) -> Answer:
        process = self._process
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise LoadError("The load generator has no pipes.")
        try:
            print(json.dumps({"do": name, **arguments}), file=process.stdin, flush=True)
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            last_words = process.stderr.read().strip().rpartition("\n")[2]
            raise LoadError(f"The load generator ended: {last_words or 'without a word'}")
        answer: Answer = json.loads(line)
        return answer
