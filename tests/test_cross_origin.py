"""Pages of other sites over HTTP: those that may open the stream may read, and no others."""

import functools
import http.server
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.page_fixtures import launch
from tests.processes import Server, wait_until

READS = ("/stream/latest", "/stream/history", "/stream/history?format=csv", "/stream/health", "/stream/health/live")
OTHER = "https://other.example"


class SilentHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def other_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another site, with an empty page; its origin."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "index.html").write_text("<!DOCTYPE html><title>Another site</title>")
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(SilentHandler, directory=str(folder)))
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{site.server_port}"
    site.shutdown()
    site.server_close()


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def server(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    prepared_database: Path,
    other_site: str,
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copy(prepared_database, folder)
    server = Server(folder, request.param, STREAM_ALLOWED_ORIGINS=f"{OTHER},{other_site}").start()
    wait_until(lambda: server.get("/stream/latest")[0] == 200)
    yield server
    server.stop()


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, Message]:
    """Status and headers; `if__none__match` is the header If-None-Match."""
    names = {key.replace("__", "-"): value for key, value in headers.items()}
    request = urllib.request.Request(server.url + path, method=method, headers=names)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers


@pytest.mark.parametrize("path", [*READS, "/stream/history?step=none", "/stream/no-such-thing"])
def test_every_read_and_every_refusal_is_told_to_a_page_that_may_open_the_stream(server: Server, path: str) -> None:
    _, headers = ask(server, path, origin=OTHER)
    assert headers["Access-Control-Allow-Origin"] == OTHER
    assert "Origin" in headers["Vary"]
    assert headers["Access-Control-Allow-Credentials"] is None


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[::1", f"{OTHER}.evil.example"])
def test_other_pages_get_nothing_and_no_cache_hands_on_what_others_got(server: Server, origin: str) -> None:
    for path in READS:
        _, headers = ask(server, path, origin=origin)
        assert headers["Access-Control-Allow-Origin"] is None
        assert "Origin" in headers["Vary"]


def test_programs_are_answered_as_ever(server: Server) -> None:
    status, headers = ask(server, "/stream/latest")
    assert status == 200
    assert "Origin" in headers["Vary"]
    assert headers["Access-Control-Allow-Origin"] is None


def test_what_has_not_changed_may_be_read_again(server: Server) -> None:
    path = "/stream/history?from=1000&to=2000"
    _, headers = ask(server, path, origin=OTHER)
    status, headers = ask(server, path, origin=OTHER, if__none__match=headers["ETag"])
    assert status == 304
    assert headers["Access-Control-Allow-Origin"] == OTHER


@pytest.mark.parametrize(("origin", "is_allowed"), [(OTHER, True), ("https://evil.example", False)])
def test_a_browser_that_asks_first_is_told_what_a_page_may_do(server: Server, origin: str, is_allowed: bool) -> None:
    for path in READS:
        status, headers = ask(server, path, "OPTIONS", origin=origin, access__control__request__method="GET")
        assert status == 204
        assert headers["Access-Control-Allow-Origin"] == (origin if is_allowed else None)
        assert headers["Access-Control-Allow-Methods"] == ("GET, HEAD" if is_allowed else None)


def test_nothing_else_of_this_site_is_opened(server: Server) -> None:
    for path in ("/", "/admin/login/"):
        assert ask(server, path, origin=OTHER)[1]["Access-Control-Allow-Origin"] is None


def test_a_browser_lets_the_page_of_an_allowed_site_read(server: Server, other_site: str) -> None:
    """With a header that makes it ask first, and with one that only its own pages read without being told."""
    read = """async (address) => {
      const answer = await fetch(address, { headers: { "If-None-Match": '"none"' } });
      return [answer.status, answer.headers.get("ETag")?.length > 0, (await answer.text()).length > 0];
    }"""
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        page = chromium.new_page()
        page.goto(other_site)
        for path in ("/stream/latest", "/stream/history"):
            assert page.evaluate(read, server.url + path) == [200, True, True]
        page.goto(other_site.replace("127.0.0.1", "localhost"))  # another origin
        attempt = "address => fetch(address).then(() => 'read', () => 'refused')"
        assert page.evaluate(attempt, f"{server.url}/stream/latest") == "refused"
        chromium.close()
