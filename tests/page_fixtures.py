"""For the page's tests: a proxy that can be cut, and a Chromium that reports what its pages complained about."""

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Playwright, sync_playwright

from tests.processes import ROOT, Server, need

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


class Proxy:
    """A TCP proxy in front of a server, as bad as a test wants it.

    Requests with `refuse` in them are answered with 403, those with `slow` reach the server after SLOW_S seconds.
    """

    SLOW_S = 2.0

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.refuse: bytes | None = None
        self.slow: bytes | None = None
        self.is_down = False
        self._pairs: set[socket.socket] = set()
        self._mute: set[socket.socket] = set()
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

    def lose(self) -> None:
        """Pass nothing on over the connections that are open now, as after a laptop's sleep; nobody is told."""
        self._mute |= self._pairs

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
                if source in self._mute:
                    continue
                if is_request and self.refuse is not None and self.refuse in data.lower():
                    source.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    break
                if is_request and self.slow is not None and self.slow in data.lower():
                    time.sleep(self.SLOW_S)
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
});
"""
#: What Chromium itself writes when a test breaks the network; no page can keep it from doing so.
BROKEN_NETWORK = ("WebSocket connection to", "Failed to load resource", "An unknown error occurred when fetching")


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
        context.set_default_timeout(30_000)
        context.add_init_script(WATCH)
        page = context.new_page()
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        return page

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not text.startswith(BROKEN_NETWORK):
            self.complaints.append(text)


def launch(playwright: Playwright, *more: str) -> Any:
    """Chromium's engine without the browser around it, which makes a page cost half; else Chromium.

    `more`: arguments of its command line.
    """
    shell = Path("/usr/bin/chromium-headless-shell")
    path = shell if shell.exists() else need("/usr/bin/chromium", "Chromium")
    arguments = ["--no-sandbox", "--disable-background-networking", "--disable-gpu", *more]
    return playwright.chromium.launch(executable_path=path, args=arguments)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One for a module's tests; each page has a context of its own."""
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def forgiven() -> tuple[str, ...]:
    """What complaints of a module's pages begin with that are the tests' own fault; a module may say others."""
    return ()


@pytest.fixture
def browser(chromium: Any, forgiven: tuple[str, ...]) -> Iterator[Browser]:
    """Chromium; the test fails where one of its pages complained."""
    browser = Browser(chromium)
    yield browser
    for context in browser.contexts:
        context.close()
    assert [text for text in browser.complaints if not text.startswith(forgiven)] == []


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """In front of the module's server."""
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


def find_with_axe(browser: Browser, page: Any) -> list[dict[str, Any]]:
    """What axe finds on the page."""
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": Path(need(AXE, "axe-core (npm ci)")).read_text()})
    found: list[dict[str, Any]] = page.evaluate("axe.run({ preload: false }).then(({ violations }) => violations)")
    # axe tries inline styles of its own to measure with; all other complaints stay.
    browser.complaints = [text for text in browser.complaints if "style" not in text]
    return found


def wait_for_claim(page: Any, claim: str, argument: Any = None, patience_s: float = 30) -> None:
    """Wait until the JavaScript `claim` is true.

    Playwright's own wait_for_function() evaluates a string within the page, which the page's policy forbids.
    """
    deadline = time.monotonic() + patience_s
    while not page.evaluate(claim, argument):
        assert time.monotonic() < deadline, f"Not in {patience_s} s: {claim} ({argument!r})"
        page.wait_for_timeout(50)


def change_stream(page: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Have each snapshot go through `change` before the page gets it; to be called before the page is opened."""

    def connect(ws: Any) -> None:
        ws.connect_to_server().on_message(lambda text: ws.send(json.dumps(change(json.loads(text)))))

    page.route_web_socket(re.compile("/stream/live"), connect)


def wait_for_state(page: Any, name: str) -> None:
    page.wait_for_selector(f"#state[data-state={name}]")


def show_rows(page: Any, at_least: int = 1) -> None:
    """Open the table of the last five minutes, where each snapshot is a row."""
    page.locator("#ranges span", has_text="5 min").click()
    page.locator("#table-toggle").click()
    wait_for_claim(page, "count => document.querySelectorAll('#table tbody tr').length >= count", at_least)
