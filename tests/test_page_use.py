"""What readers do with the page: pause, read the charts by keyboard, take the range away as CSV, choose."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.page_fixtures import Browser, Proxy, find_with_axe, show_rows, wait_for_claim, wait_for_state
from tests.processes import Server

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("use"), STREAM_INTERVAL="0.5").start()
    yield server
    server.stop()


def test_pausing_holds_the_numbers_still(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url)
    page.locator("#pause").click()
    held = page.locator("[data-metric=pnl] .value").first.inner_text()
    wait_for_claim(page, "/, [3-9] newer/.test(document.querySelector('#detail').textContent)")
    assert page.locator("[data-metric=pnl] .value").first.inner_text() == held
    assert page.locator("#state .label").inner_text() == "PAUSED"
    page.locator("#pause").click()
    assert page.locator("[data-metric=pnl] .value").first.inner_text() != held


def test_the_range_can_be_had_as_csv(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url)
    show_rows(page)
    every_snapshot = download_csv(page)
    assert every_snapshot[0]["timestamp"]
    page.locator("#ranges span", has_text="24 h").click()
    wait_for_claim(page, "document.querySelector('#table-hint').textContent.includes('means of')")
    means = download_csv(page)
    assert 0 < len(means) < len(every_snapshot)
    assert int(means[0]["count"]) > 1
    assert {f"{part}_{name}" for part in ("cpu", "pnl") for name in ("min", "mean", "max", "last")} <= means[0].keys()


def download_csv(page: Any) -> list[dict[str, str]]:
    """What the page's button downloads."""
    with page.expect_download() as download:
        page.locator("#csv").click()
    assert download.value.suggested_filename.endswith(".csv")
    with Path(download.value.path()).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_csv_of_a_paused_page_is_what_it_shows(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url, timezone_id="Asia/Tokyo")
    show_rows(page, at_least=3)
    page.locator("#pause").click()
    wait_for_claim(page, "/, [3-9] newer/.test(document.querySelector('#detail').textContent)")
    page.locator("#clock").click()  # to UTC: all is drawn anew
    assert page.locator("#clock .zone").inner_text() == "UTC"
    shown = page.locator("#table tbody th").first.inner_text()
    assert download_csv(page)[-1]["datetime"][11:19] == shown[-8:]


def test_charts_are_read_and_zoomed_by_keyboard(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url)
    plot = page.locator("figure.large .plot")
    wait_for_claim(page, "document.querySelector('figure.large .plot').ariaLabel.includes(' to ')")
    plot.focus()
    page.keyboard.press("ArrowLeft")
    wait_for_claim(page, "/\\d:\\d/.test(document.querySelector('figure.large .at').textContent)")
    wait_for_claim(page, "/Profit and loss: .*\\d:\\d/.test(document.querySelector('#chart-said').textContent)")
    whole = shown_seconds(plot)
    page.keyboard.press("+")
    page.keyboard.press("+")
    wait_for_claim(page, SETTLED)
    assert shown_seconds(plot) <= whole / 2
    assert "from=" in page.url
    page.keyboard.press("Escape")
    wait_for_claim(page, SETTLED)
    assert shown_seconds(plot) >= whole
    assert "from=" not in page.url


#: A frame was drawn since.
SETTLED = "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(true))))"


def shown_seconds(plot: Any) -> int:
    """The length of time that a chart says it shows."""
    times = re.findall(r"(\d\d):(\d\d):(\d\d)", plot.get_attribute("aria-label"))
    start, end = (int(hours) * 3600 + int(minutes) * 60 + int(seconds) for hours, minutes, seconds in times)
    return (end - start) % 86_400


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, proxy: Proxy, theme: str) -> None:
    page = browser.open(f"{proxy.url}?theme={theme}")
    page.wait_for_selector(".chart canvas")
    page.locator("#settings summary").click()
    for opened in (None, "#table-toggle"):
        if opened:
            page.locator(opened).click()
        found = find_with_axe(browser, page)
        serious = [
            (rule["id"], [node["html"] for node in rule["nodes"]])
            for rule in found
            if rule["impact"] in {"serious", "critical"}
        ]
        assert serious == []


@pytest.mark.parametrize("options", [PHONE, {"viewport": {"width": 3840, "height": 2160}}], ids=["phone", "4k"])
def test_nothing_is_cut_off(browser: Browser, proxy: Proxy, options: dict[str, Any]) -> None:
    page = browser.open(proxy.url, **options)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#table-toggle").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_choices_are_kept_and_times_can_be_utc(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url, timezone_id="Asia/Tokyo")
    assert page.locator("#clock .zone").inner_text() != "UTC"
    page.locator("#clock").click()
    page.reload()
    wait_for_state(page, "live")
    assert page.locator("#clock .zone").inner_text() == "UTC"


def test_a_kiosk_shows_numbers_and_no_controls(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(f"{proxy.url}?kiosk=1", reduced_motion="reduce")
    assert not page.locator("#pause").is_visible()
    assert page.locator("[data-metric=pnl] .value").first.is_visible()
