"""The installed page: what it shows without network, and that an upgrade leaves nothing old, in a real Chromium."""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error

from tests.page_fixtures import Browser, Proxy, wait_for_claim
from tests.processes import ROOT, Server, wait_until

#: What the page would look like that lies.
LOOKS_LIVE = ("live", "delayed")
#: What the cards say.
VALUES = "[...document.querySelectorAll('.card .value')].map(({ textContent }) => textContent)"
#: The worker works, and has kept the page.
IS_KEPT = "navigator.serviceWorker.ready.then(() => caches.match('/')).then(Boolean)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("offline")
    shutil.copy(prepared_database, folder)
    server = Server(folder, STREAM_INTERVAL="0.5").start()
    wait_until(lambda: server.get("/stream/latest")[0] == 200)
    yield server
    server.stop()


def cut(page: Any, proxy: Proxy) -> None:
    """Take the network away from the page and from its worker."""
    proxy.is_down = True
    proxy.cut()
    page.context.set_offline(True)


def restore(page: Any, proxy: Proxy) -> None:
    proxy.is_down = False
    page.context.set_offline(False)


def values_of(page: Any) -> list[str]:
    values: list[str] = page.evaluate(VALUES)
    return values


def test_without_network_the_page_shows_its_last_values_and_that_it_is_offline(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(f"{proxy.url}?kiosk=1")
    wait_for_claim(page, IS_KEPT)
    first = values_of(page)
    wait_for_claim(page, f"first => JSON.stringify({VALUES}) !== JSON.stringify(first)", first)
    cut(page, proxy)
    page.wait_for_selector("#state[data-state=offline]")
    last = values_of(page)

    page.goto(f"{proxy.url}?kiosk=1")
    page.wait_for_selector("#state[data-state=offline]")
    assert values_of(page) == last
    assert values_of(page) != first
    assert re.search(r"last \d\d:\d\d:\d\d", page.locator("#detail").inner_text())
    assert "OFFLINE" in page.title()
    assert not set(page.evaluate("window.states")) & set(LOOKS_LIVE)
    page.wait_for_timeout(1500)  # three intervals: nothing turns up that would be taken for new
    assert not set(page.evaluate("window.states")) & set(LOOKS_LIVE)
    assert page.locator("html[data-kept]").count() == 1

    restore(page, proxy)
    page.wait_for_selector("html:not([data-kept]) #state[data-state=live]")


def test_where_only_the_server_is_away_the_page_waits_for_it(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url)
    wait_for_claim(page, IS_KEPT)
    proxy.is_down = True
    proxy.cut()
    page.reload()
    page.wait_for_selector("#state[data-state=reconnecting]")
    assert not set(page.evaluate("window.states")) & set(LOOKS_LIVE)
    assert "—" not in values_of(page)
    proxy.is_down = False
    page.wait_for_selector("html:not([data-kept]) #state[data-state=live]")


def test_a_page_that_is_refused_is_not_kept(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url)
    wait_for_claim(page, IS_KEPT)
    proxy.refuse = b"get / http"
    proxy.cut()
    with suppress(Error):  # Chromium shows a page of its own for a refusal that has none, its engine alone does not
        page.reload()
    other = page.context.new_page()
    other.goto(f"{proxy.url}no-such-page")
    wait_for_claim(other, "caches.match('/').then((kept) => !kept)")


def test_only_the_page_and_its_files_are_kept(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url)
    wait_for_claim(page, IS_KEPT)
    page.reload()
    page.wait_for_selector("#state[data-state=live]")
    page.wait_for_selector(".chart canvas")
    wait_for_claim(page, "performance.getEntriesByType('resource').some(({name}) => name.includes('/stream/history'))")
    kept = page.evaluate(
        """async () => {
          const names = await caches.keys();
          const requests = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
          return requests.flat().map(({ url }) => new URL(url).pathname);
        }"""
    )
    assert "/" in kept
    assert all(path == "/" or path.startswith("/static/") for path in kept)
    loaded = page.evaluate(
        "performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)"
        ".filter((path) => /\\.(js|css)$/.test(path))"
    )
    assert set(loaded) - {"/service-worker.js"} <= set(kept)


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Server]:
    """The server of the next version: other files, under other names."""
    folder = tmp_path_factory.mktemp("upgraded")
    shutil.copy(prepared_database, folder)
    server = Server(folder, STREAM_INTERVAL="0.5")
    server.project = folder / "project"
    for name in ("metrics", "access", "streaming", "quantum_dashboard", "static", "templates"):
        shutil.copytree(ROOT / name, server.project / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", server.project)
    for name, old, new in (
        ("quantum_dashboard/__init__.py", r'__version__ = ".*"', '__version__ = "99.0.0"'),
        ("static/dashboard/page.js", r"new Page\(\)\.start\(\);", 'document.body.dataset.upgraded = ""; \\g<0>'),
    ):
        file = server.project / name
        text, count = re.subn(old, new, file.read_text())
        assert count == 1
        file.write_text(text)
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"],
        cwd=server.project,
        env={**os.environ, **server.environment},
        check=True,
        timeout=60,
    )
    yield server.start()
    server.stop()


def test_after_an_upgrade_no_old_page_is_shown_online_or_offline(
    browser: Browser, proxy: Proxy, upgraded: Server
) -> None:
    page = browser.open(proxy.url)
    wait_for_claim(page, IS_KEPT)
    old = page.evaluate("caches.keys()")
    page.reload()
    page.wait_for_selector("#state[data-state=live]")
    assert page.locator("[data-upgraded]").count() == 0

    proxy.is_down = True  # one server ends
    proxy.cut()
    page.reload()
    page.wait_for_selector("html[data-kept] #state[data-state=reconnecting]")
    proxy.upstream = upgraded.port  # and the next one begins
    proxy.is_down = False
    page.wait_for_selector("html:not([data-kept]) [data-upgraded] #state[data-state=live]")
    assert "99.0.0" in (page.locator(".version").text_content() or "")
    wait_for_claim(page, "old => caches.keys().then((names) => names.length === 1 && names[0] !== old[0])", old)
    cut(page, proxy)
    page.reload()
    page.wait_for_selector("[data-upgraded] #state[data-state=offline]")
    assert "99.0.0" in (page.locator(".version").text_content() or "")


def test_the_next_page_after_an_upgrade_is_the_new_one(browser: Browser, proxy: Proxy, upgraded: Server) -> None:
    page = browser.open(proxy.url)
    wait_for_claim(page, IS_KEPT)
    proxy.upstream = upgraded.port
    proxy.cut()
    page.reload()
    page.wait_for_selector("[data-upgraded] #state[data-state=live]")


def test_the_page_can_be_installed(browser: Browser, proxy: Proxy, server: Server) -> None:
    page = browser.open(proxy.url)
    wait_for_claim(page, IS_KEPT)
    session = page.context.new_cdp_session(page)
    found = session.send("Page.getAppManifest")
    assert found["errors"] == []
    errors = {error["errorId"] for error in session.send("Page.getInstallabilityErrors")["installabilityErrors"]}
    assert errors <= {"in-incognito"}  # as all contexts of a test are
    described = json.loads(server.get("/manifest.webmanifest")[1])
    for icon in described["icons"]:
        name = Path(icon["src"]).name
        content = (ROOT / "staticfiles" / "dashboard" / name).read_bytes()
        assert server.get(icon["src"], "HEAD")[0] == 200
        if icon["type"] == "image/png":
            assert "{}x{}".format(*struct.unpack(">II", content[16:24])) == icon["sizes"]


def test_every_page_has_an_icon(server: Server) -> None:
    with urllib.request.urlopen(f"{server.url}/favicon.ico") as answer:
        assert answer.read(4) == b"\0\0\1\0"
    page = server.get("/")[1]
    for relation in ("icon", "apple-touch-icon", "manifest"):
        (address,) = re.findall(rf'<link rel="{relation}"\s+href="([^"]+)"', page)
        assert server.get(address, "HEAD")[0] == 200
    assert len(re.findall('<meta name="theme-color"', page)) == 2
