"""What whoever opens a share link sees, in a real Chromium; and how staff copies its address."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.admin_session import AdminSession
from tests.page_fixtures import Browser, wait_for_claim
from tests.processes import PASSWORD, Server, wait_until

ADD = "/admin/access/sharelink/add/"
LIST = "/admin/access/sharelink/"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("share-page")
    shutil.copy(prepared_database, folder)
    server = Server(folder, STREAM_INTERVAL="0.5", ACCESS="login").start()
    yield server
    server.stop()


@pytest.fixture
def browser(chromium: Any) -> Iterator[Browser]:
    """Chromium; the test fails where one of its pages complained."""
    browser = Browser(chromium)
    yield browser
    for context in browser.contexts:
        context.close()
    assert browser.complaints == []


def make_link(server: Server, label: str, *groups: str) -> tuple[AdminSession, str]:
    """Who made it, and its address."""
    staff = AdminSession(server)
    wait_until(lambda: "pnl" in staff.get("/stream/history")[1], what="a snapshot is in history")
    staff.get(ADD)
    _, listed = staff.post(ADD, label=label, groups=list(groups), expires_at_0="", expires_at_1="")
    found = re.search(rf'value="([^"]+)" aria-label="Address of {label}"', listed)
    assert found, listed
    return staff, found[1]


def test_a_colleague_sees_what_is_shared_until_it_ends(server: Server, browser: Browser) -> None:
    staff, address = make_link(server, "Colleague", "portfolio")
    page = browser.open(address)
    assert page.locator("section.group").count() == 1
    assert page.locator("[data-metric=pnl]").count() == 0
    assert page.locator("[data-metric=cpu]").count() == 0
    change = page.locator("article[data-metric=pnl_change]")
    assert change.locator("h3").inner_text() == "Profit and loss, change"
    assert change.locator(".unit").inner_text().strip() == "%"
    assert re.fullmatch(r"[+−]?\d+\.\d\d", change.locator(".value").inner_text().strip())
    assert "Colleague" in page.locator("header").inner_text()
    assert page.locator("a[href*=admin]").count() == 0
    with page.expect_download() as downloading:
        page.locator("#csv").click()
    columns = Path(downloading.value.path()).read_text().split("\n")[0]
    assert "pnl_change" in columns
    assert not re.search(r"\bpnl\b|cpu", columns)
    number = re.search(r'name="_selected_action" value="(\d+)"', staff.get(LIST)[1])
    assert number
    staff.post(LIST, action="revoke", _selected_action=number[1])
    page.wait_for_selector("#state[data-state=refused]")
    assert "LINK ENDED" in page.locator("#state").inner_text()
    assert "revoked or has expired" in page.locator("#state").inner_text()
    page.reload()
    assert "This link does not work" in page.locator("h1").inner_text()
    assert "Ask whoever gave it to you" in page.locator("main").inner_text()


def test_staff_copies_an_address(server: Server, browser: Browser) -> None:
    _, address = make_link(server, "Copied", "ai")
    page = browser.new_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{server.url}/admin/login/?next={LIST}")
    page.fill("[name=login]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.click("[type=submit]")
    row = page.locator("tr", has_text="Copied")
    row.locator("[data-copy]").click()
    wait_for_claim(page, "address => navigator.clipboard.readText().then((text) => text === address)", address)
    assert row.locator("[data-copy]").inner_text() == "Copied"
