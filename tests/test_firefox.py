"""The page in the other browser: all that was only ever seen in Chromium may be Chromium's alone."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.admin_session import AdminSession
from tests.firefox import Firefox
from tests.processes import Server

ESCAPE, LEFT = "\ue00c", "\ue012"

#: What each card of the two groups shows: its number, the word below it, and the colour of the number.
CARDS = """["ai", "portfolio"].flatMap((group) =>
  [...document.querySelectorAll(`[data-group=${group}] .card`)].map((card) => [
    card.querySelector(".value").textContent,
    card.querySelector(".problem").checkVisibility() && card.querySelector(".problem").textContent,
    getComputedStyle(card.querySelector(".value")).color,
  ].join()))"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Server]:
    """One of Daphne: the page is the same on uvicorn."""
    folder = tmp_path_factory.mktemp("firefox")
    shutil.copy(prepared_database, folder)
    server = Server(folder, STREAM_INTERVAL="0.5").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def started_firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """It takes as long to start as a test in it."""
    firefox = Firefox(tmp_path_factory.mktemp("profile"))
    yield firefox
    firefox.close()


@pytest.fixture
def firefox(started_firefox: Firefox) -> Firefox:
    started_firefox.forget()
    return started_firefox


@pytest.fixture
def unreachable(server: Server) -> Iterator[None]:
    """AI and Portfolio come from a Redis that is not there."""
    admin = AdminSession(server)
    for kind in ("redis", "mock"):
        for group in ("AI", "Portfolio"):
            admin.click(group, kind)
        if kind == "redis":
            yield


@pytest.mark.usefixtures("unreachable")
def test_in_firefox_what_cannot_be_reached_is_a_dash_with_its_reason(firefox: Firefox, server: Server) -> None:
    firefox.open(f"{server.url}?range=5m&theme=light")
    firefox.wait_for("document.body?.dataset.state === 'degraded'")
    assert firefox.evaluate("document.querySelector('.pill').innerText.replace(/\\s+/g, ' ')") == "◆ DEGRADED"
    advice = firefox.evaluate("document.querySelector('#state .advice').innerText")
    assert advice == "9 of 12 values are missing (unreachable)."
    assert set(firefox.evaluate(CARDS)) == {"—,unreachable,rgb(89, 102, 119)"}
    assert firefox.evaluate("document.title").startswith("◆ DEGRADED — ")
    firefox.wait_for("document.querySelectorAll('#reasons li').length === 4")
    reasons = firefox.evaluate("[...document.querySelectorAll('#reasons li')].map(({ textContent }) => textContent)")
    assert re.fullmatch(r"Redis: .*127\.0\.0\.1:1\b.*[^.]\.", reasons[1])
    assert firefox.complaints == []


def test_in_firefox_the_page_is_live_complains_of_nothing_and_opens_without_its_server(
    firefox: Firefox, server: Server
) -> None:
    firefox.open(f"{server.url}?range=5m&theme=dark")
    firefox.wait_for("document.body?.dataset.state === 'live'")
    firefox.wait_for("document.querySelectorAll('.chart canvas').length === 11")
    firefox.wait_for("/min/.test(document.querySelector('figure.large .plot').ariaLabel)")
    assert firefox.evaluate("document.querySelectorAll('.card.is-simulated').length") == 9
    assert "(simulated)" in firefox.evaluate("document.title")
    assert firefox.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor") == "rgb(16, 20, 27)"
    firefox.evaluate("document.querySelector('figure.large .plot').focus()")
    firefox.press(LEFT)
    firefox.wait_for(r"/Profit and loss: .*\d:\d/.test(document.querySelector('#chart-said').textContent)")
    firefox.press("+")
    firefox.wait_for("document.querySelector('#zoomed').checkVisibility()")
    assert re.search(r"from=\d+&to=\d+", firefox.evaluate("location.search"))
    firefox.press(ESCAPE)
    firefox.wait_for("!document.querySelector('#zoomed').checkVisibility()")
    # The service worker has kept the page, for when there is no network.
    firefox.wait_for("navigator.serviceWorker.ready.then(() => caches.match('/')).then(Boolean)")
    assert firefox.complaints == []
    firefox.open(server.url)
    firefox.wait_for("!!navigator.serviceWorker.controller && document.body?.dataset.state === 'live'")
    server.stop()
    firefox.evaluate("(setTimeout(() => location.reload()), true)")
    firefox.wait_for("document.documentElement.hasAttribute('data-kept') && document.body?.dataset.state !== 'live'")
    firefox.wait_for("document.title.startsWith('↻ RECONNECTING ')")
