"""`python -m benchmarks.first_value`: how soon the page shows its first number.

For each server in turn, a number of times: a new browser context of Debian's Chromium opens the page over the loopback,
and the time from the navigation's begin to the frame in which a card first shows a digit is taken. A page that is a
number and nothing else is opened in between: so much is the browser's own. `--beside NAME=URL` opens others, too: one
of a release before, say.
"""

import argparse
import http.server
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks.measure import serving
from benchmarks.peers.ours import Ours

PORT = 8450
WIDTH, HEIGHT = 1440, 900
PAGE = b'<!doctype html><link rel="icon" href="data:,"><body><article class="card"><p class="value">1</p></article>'
#: Notes when a digit stands in a card, and when the frame with it was handed to the screen; the paint, where later.
WATCH = """
window.first = new Promise((tell) => {
  const look = () => {
    if (!/\\d/.test(document.querySelector(".card .value")?.textContent ?? "")) return;
    watch.disconnect();
    requestAnimationFrame(() => {
      const behind = new MessageChannel();
      behind.port1.onmessage = () => {
        const painted = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0;
        tell(Math.max(performance.now(), painted));
      };
      behind.port2.postMessage(0);
    });
  };
  const watch = new MutationObserver(look);
  watch.observe(document, { subtree: true, childList: true, characterData: true });
});
"""


class NothingElse(http.server.BaseHTTPRequestHandler):
    """Serves PAGE."""

    def do_GET(self) -> None:
        """Answer at once."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        """Nothing."""


@contextmanager
def blank_page() -> Iterator[str]:
    """The address of a page that is a number and nothing else."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NothingElse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def time_first_value(browser: Browser, url: str) -> float:
    """Milliseconds from the navigation's begin to the first number, in a context that knows nothing of the page."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    try:
        context.add_init_script(WATCH)
        page = context.new_page()
        page.goto(url, wait_until="commit")
        return float(page.evaluate("window.first"))
    finally:
        context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--beside", action="append", default=[], help="NAME=URL of another page")
    options = parser.parse_args()
    with ExitStack() as stack:
        pages = {"nothing but a number": stack.enter_context(blank_page())}
        for number, server in enumerate(("daphne", "uvicorn")):
            peer = Ours(server)
            peer.prepare(Path(stack.enter_context(tempfile.TemporaryDirectory())))
            stack.enter_context(serving(peer, PORT + 2 * number, 3.0))
            pages[peer.name] = f"http://127.0.0.1:{PORT + 2 * number}/"
        pages |= dict(each.split("=", 1) for each in options.beside)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-background-networking"]
        )
        times: dict[str, list[float]] = {name: [] for name in pages}
        for _ in range(options.rounds + 1):
            for name, url in pages.items():
                times[name].append(time_first_value(browser, url))
        browser.close()
    print(f"first number, ms after the navigation began ({options.rounds} times each, a new context each)")
    for name, taken in times.items():
        of = sorted(taken[1:])  # the first one is the browser's start
        print(f"{name:24} median {statistics.median(of):5.0f}   least {of[0]:5.0f}   most {of[-1]:5.0f}")


if __name__ == "__main__":
    main()
