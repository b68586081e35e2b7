"""The pages that say what went wrong: in the dashboard's look, in any scheme, without a word for attackers."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import sync_playwright

from tests.page_fixtures import Browser, launch
from tests.processes import ROOT, Server, need

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("messages")
    shutil.copy(prepared_database, folder)
    server = Server(folder).start()
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("path", "method", "headers", "status", "words"),
    [
        ("/no-such-page", "GET", {}, 404, "There is nothing at this address"),
        ("/stream/no-such-page", "GET", {}, 404, "There is nothing at this address"),
        ("/", "GET", {"Host": "other.example"}, 400, "ALLOWED_HOSTS"),
        ("/admin/login/", "POST", {}, 403, "This form could not be accepted"),
    ],
)
def test_what_goes_wrong_is_said_in_the_dashboards_look(
    server: Server, path: str, method: str, headers: dict[str, str], status: int, words: str
) -> None:
    found, page = server.get(path, method, **headers)
    assert found == status
    assert words in page
    assert "site/message" in page
    assert "Django" not in page
    assert "no-such-page" not in page


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "500"])
def test_a_message_needs_nothing_but_itself(name: str) -> None:
    page = render_to_string(f"{name}.html")  # as Django does for 500: without a request
    assert "<h1>" in page
    assert 'href="/"' in page
    assert "style=" not in page
    assert "<style" not in page
    assert "<script" not in page


def test_a_message_reads_well_in_both_schemes_and_breaks_no_policy(server: Server) -> None:
    complaints: list[str] = []
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        browser = Browser(chromium)
        grounds = set()
        for scheme in ("light", "dark"):
            page: Any = browser.new_page(color_scheme=scheme, viewport={"width": 390, "height": 844})
            page.goto(f"{server.url}/no-such-page")
            grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            page.evaluate(Path(need(AXE, "axe-core")).read_text())
            found = page.evaluate("axe.run().then(({ violations }) => violations.map(({ id }) => id))")
            assert found == []
            page.get_by_role("link", name="Go to the dashboard").click()
            page.wait_for_selector("#state[data-state=live]")
        complaints += browser.complaints
        chromium.close()
    assert len(grounds) == 2
    assert complaints == []
