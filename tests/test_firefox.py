"""The page in the other browser: all that was only ever seen in Chromium may be Chromium's alone."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firefox import Firefox
from tests.processes import Server

ESCAPE, LEFT = "\ue00c", "\ue012"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Server]:
    """One of Daphne: the page is the same on uvicorn."""
    folder = tmp_path_factory.mktemp("firefox")
    shutil.copy(prepared_database, folder)
    server = Server(folder, STREAM_INTERVAL="0.5").start()
    yield server
    server.stop()


@pytest.fixture
def firefox(tmp_path: Path) -> Iterator[Firefox]:
    firefox = Firefox(tmp_path)
    yield firefox
    firefox.close()


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
