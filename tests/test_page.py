"""The page in a real Chromium, each of its states reached by really causing it."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from metrics.catalogue import METRICS
from streaming.web.first_numbers import describe_time, first_number, write_value
from streaming.web.page import (
    describe_metric,
)
from tests.admin_session import AdminSession
from tests.page_fixtures import Browser, Proxy, change_stream, show_rows, wait_for_claim, wait_for_state
from tests.processes import PASSWORD, Redis, Server, wait_until

#: Written for people.
LOSS = "\N{MINUS SIGN}1,234.50"

#: The classes of the table's rows down to the one of a time: earlier tests left gaps of their own.
ROWS_SINCE = """time => {
  const rows = [...document.querySelectorAll("#table tbody tr")];
  const end = rows.findIndex((row) => row.querySelector("th")?.textContent === time);
  if (end < 0) throw new Error(`no row of ${time}`);
  return rows.slice(0, end).map((row) => row.className);
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def redis(folder: Path) -> Iterator[Redis]:
    redis = Redis(folder).start()
    yield redis
    redis.stop()


@pytest.fixture(scope="module")
def server(folder: Path, redis: Redis) -> Iterator[Server]:
    """One server for all tests here, every half second a snapshot; its first sources are this host and simulated."""
    server = Server(folder, METRICS_REDIS_URL=redis.url, STREAM_INTERVAL="0.5").start()
    yield server
    server.stop()


def wait_for_title(page: Any, part: str) -> None:
    wait_for_claim(page, "part => document.title.includes(part)", part)


def test_every_metric_is_on_the_page_and_in_few_bytes(browser: Browser, proxy: Proxy) -> None:
    page = browser.new_page()
    refused: list[str] = []
    page.on("response", lambda response: response.status >= 400 and refused.append(response.url))
    page.goto(proxy.url)
    wait_for_state(page, "live")
    page.wait_for_selector(".chart canvas")
    wait_for_claim(page, "performance.getEntriesByType('resource').some(({name}) => name.includes('/stream/history'))")
    assert page.locator(".card").count() == 12
    assert page.locator(".card .value", has_text="—").count() == 0
    assert page.locator("figure.chart canvas").count() == 11
    transferred = page.evaluate(
        "performance.getEntries().reduce((total, { transferSize = 0 }) => total + transferSize, 0)"
    )
    assert 50_000 < transferred < 120_000
    assert refused == []
    hosts = page.evaluate(
        "[...new Set(performance.getEntriesByType('resource').map(({ name }) => new URL(name).host))]"
    )
    assert hosts == [f"127.0.0.1:{proxy.port}"]


#: What cards and groups say of now, and how they look; not how far a value has come: modules alone know that.
SHOWN = """[...document.querySelectorAll(".card, .group-source")].map((element) => {
  const classes = [...element.classList].filter((name) => !["is-warn", "is-critical"].includes(name)).sort();
  const parts = element.matches(".card") ? [...element.querySelectorAll(".value, .unit, .kind, .tag")] : [element];
  const length = element.querySelector(".value")?.dataset.length;
  return [...classes, length, ...parts.map(({ textContent }) => textContent.trim())].join("|");
})"""


def test_the_numbers_that_come_with_the_page_are_those_that_its_modules_show(
    browser: Browser, server: Server, proxy: Proxy, redis: Redis
) -> None:
    redis.set(portfolio__pnl=-1234.5, portfolio__positions=0, portfolio__exposure=0.5)
    staff = AdminSession(server)
    staff.click("Portfolio", "redis")
    wait_until(lambda: LOSS in server.get("/")[1], what="the loss is shown")
    text = server.get("/")[1]
    staff.click("Portfolio", "mock")
    proxy.refuse = b" /stream/"  # there is no other snapshot than the page's own
    bare, whole = browser.new_page(), browser.new_page()
    for page in (bare, whole):
        page.route(proxy.url, lambda route: route.fulfill(body=text, content_type="text/html"))
    bare.route(re.compile(r"/page\.\w+\.js"), lambda route: route.abort())
    bare.goto(proxy.url)
    assert bare.locator("[data-metric=pnl] .value").first.inner_text() == LOSS
    # They are as grey as what is not of now, and of a time that stands above them.
    assert bare.evaluate("getComputedStyle(document.querySelector('.plot')).filter") == "grayscale(1)"
    assert re.fullmatch(r"These values are of .* UTC\.", bare.locator("#state .advice").inner_text())
    assert bare.locator("#state .label").inner_text() == "CONNECTING"
    whole.goto(proxy.url)
    wait_for_claim(whole, "document.querySelector('#clock .time').textContent !== '--:--:--'")
    assert bare.evaluate(SHOWN) == whole.evaluate(SHOWN)


def test_numbers_are_written_alike_by_the_server_and_by_the_page(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    page.goto(server.url)
    numbers = (0, 0.5, 1.5, 2.5, 0.125, 0.005, 1.005, 0.285, 56.5, 999.995, 1234.5, 123456789.125, 1e15, 2**53 - 1)
    address = page.locator("link[href*='/format.']").first.get_attribute("href")
    for metric in METRICS.values():
        values = [sign * number for number in numbers for sign in (1, -1)] if metric.is_number else ["bull"]
        written = page.evaluate(
            "([address, metric, values]) =>"
            "  import(address).then((format) => values.map((value) => format.formatValue(metric, value)))",
            [address, describe_metric(metric), values],
        )
        assert [write_value(metric, value) for value in values] == written, metric.key


def test_of_a_page_without_a_snapshot_nothing_is_shown() -> None:
    assert first_number(METRICS["pnl"], None) == ("—", "", "", False)
    assert describe_time(None) == ""


def test_what_is_simulated_says_so(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url)
    assert page.locator("[data-group=portfolio] .card.is-simulated").count() == 5
    assert page.locator("[data-group=portfolio] .tag", has_text="sim").count() == 5
    assert page.locator("[data-group=portfolio] .kind", has_text="simulated").count() == 5
    assert page.locator("[data-group=system] .card.is-simulated").count() == 0
    note = page.locator("#state .simulated-note").inner_text()
    assert "SIMULATED: " in note
    assert {"AI", "Portfolio"} == set(re.findall("AI|Portfolio|System", note))
    wait_for_title(page, "(simulated)")


def test_a_server_that_hangs_is_delayed_then_stale_then_live(browser: Browser, proxy: Proxy, server: Server) -> None:
    page = browser.open(proxy.url)
    server.send(signal.SIGSTOP)
    try:
        wait_for_state(page, "delayed")
        assert "updated" in page.locator("#detail").inner_text()
        wait_for_state(page, "stale")
        wait_for_title(page, "■ STALE")
        assert "last " in page.locator("#detail").inner_text()
        icon = page.locator("link[rel=icon]").get_attribute("href")
    finally:
        server.send(signal.SIGCONT)
    wait_for_state(page, "live")
    assert page.locator("link[rel=icon]").get_attribute("href") != icon


def test_a_page_that_was_long_on_its_way_is_live_all_the_same(browser: Browser, proxy: Proxy) -> None:
    proxy.slow = b"get / http"
    page = browser.open(proxy.url)
    assert page.evaluate("performance.getEntriesByType('navigation')[0].responseStart") > 1000 * proxy.SLOW_S


def test_a_broken_connection_resumes_without_a_gap(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url)
    show_rows(page, at_least=3)
    newest = page.locator("#table tbody th").first.inner_text()
    proxy.is_down = True
    proxy.cut()
    wait_for_state(page, "reconnecting")
    wait_for_claim(page, "/^attempt ([3-9]|\\d\\d)/.test(document.querySelector('#detail').textContent)")
    assert page.locator(".card .value", has_text="—").count() == 0  # the last values stay
    proxy.is_down = False
    page.evaluate("document.querySelector('#retry').click()")  # it may be back by itself and the button gone
    wait_for_state(page, "live")
    rows = page.locator("#table tbody tr").count()
    wait_for_claim(page, "rows => document.querySelectorAll('#table tbody tr').length > rows", rows)
    assert "gap" not in page.evaluate(ROWS_SINCE, newest)


#: Keeps every text that an element had.
TELL = """selector => {
  window.told = [];
  const tell = () => document.querySelectorAll(selector).forEach(({ textContent }) => window.told.push(textContent));
  new MutationObserver(tell).observe(document.body, { subtree: true, childList: true, characterData: true });
  tell();
}"""


def test_after_a_restart_no_proxy_is_blamed(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url)
    page.evaluate(TELL, "#state .advice")
    proxy.is_down = True
    proxy.cut()
    wait_for_claim(page, "/^attempt ([4-9]|\\d\\d)/.test(document.querySelector('#detail').textContent)", patience_s=60)
    proxy.is_down = False
    wait_for_claim(page, "document.body.dataset.state === 'live'", patience_s=60)
    assert page.evaluate("window.told.filter((text) => /proxy|WebSocket/i.test(text))") == []


def test_while_history_loads_no_change_is_invented(browser: Browser, proxy: Proxy) -> None:
    page = browser.new_page()
    held: list[Any] = []
    page.route(re.compile("/stream/history"), lambda route: held.append(route))
    page.goto(proxy.url)
    page.evaluate(TELL, ".change, .figures dd")
    wait_for_state(page, "live")
    wait_for_claim(page, "window.told.length > 100")
    told = set(page.evaluate("window.told"))
    invented = [text for text in told if re.search(r"in (\d s|\d+ min|1 h)$", text)]
    assert invented == []
    for route in held:
        route.continue_()
    page.unroute(re.compile("/stream/history"))
    wait_for_claim(page, "/in |collecting/.test(document.querySelector('[data-metric=pnl] .change').textContent)")


def test_a_browser_without_network_is_told_so(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url)
    page.context.set_offline(True)
    proxy.is_down = True
    proxy.cut()
    wait_for_state(page, "offline")
    assert "no network" in page.locator("#state .advice").inner_text()
    proxy.is_down = False
    page.context.set_offline(False)
    wait_for_state(page, "live")


def test_charts_come_later_where_the_network_breaks_before_them(browser: Browser, proxy: Proxy) -> None:
    proxy.refuse = b"/charts."
    page = browser.open(proxy.url)
    wait_for_claim(page, "performance.getEntriesByType('resource').some(({ name }) => /charts\\..*js/.test(name))")
    assert page.locator(".chart canvas").count() == 0
    proxy.refuse = None
    page.wait_for_selector(".chart canvas")


def test_where_websockets_do_not_get_through_it_polls(browser: Browser, proxy: Proxy) -> None:
    proxy.refuse = b"upgrade: websocket"
    page = browser.open(proxy.url)
    wait_for_claim(page, "document.querySelector('#detail').textContent === 'polling'")
    first = page.locator("[data-metric=pnl] .value").first.inner_text()
    wait_for_claim(page, "first => document.querySelector('[data-metric=pnl] .value').textContent !== first", first)
    proxy.refuse = None
    wait_for_claim(page, "document.querySelector('#detail').textContent !== 'polling'")
    wait_for_state(page, "live")


def test_a_refused_page_stops_and_says_so(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url)
    proxy.refuse = b" /stream/"
    proxy.cut()
    wait_for_state(page, "refused")
    assert "sign in again" in page.locator("#state .advice").inner_text()
    wait_for_title(page, "✕ SIGNED OUT")


def test_time_in_a_frozen_tab_is_not_staleness(browser: Browser, proxy: Proxy) -> None:
    page = browser.open(proxy.url)
    page.evaluate("window.states = []")
    # Chromium freezes no tab that is seen, whatever DevTools asks: what stops here are its tabs' processes.
    processes = browser.chromium.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    tabs = [process["id"] for process in processes if process["type"] == "renderer"]
    for tab in tabs:
        os.kill(tab, signal.SIGSTOP)
    try:
        proxy.lose()
        time.sleep(5)  # the sleep itself: ten intervals
    finally:
        for tab in tabs:
            os.kill(tab, signal.SIGCONT)
    wait_for_claim(page, "window.states.includes('reconnecting')")
    wait_for_state(page, "live")
    assert "stale" not in page.evaluate("window.states")


#: What Chromium makes of a hidden tab after a minute: no frame comes, and timers come once a minute.
HIDDEN = """
  for (const name of ["setInterval", "setTimeout"]) {
    const begin = window[name];
    window[name] = (act, delay) => begin(() => window.isHidden || act(), delay);
  }
  const frame = window.requestAnimationFrame;
  window.requestAnimationFrame = (draw) => frame((at) => window.isHidden || draw(at));
  Object.defineProperty(document, "visibilityState", { get: () => (window.isHidden ? "hidden" : "visible") });
"""


def test_the_title_of_a_hidden_tab_goes_on(browser: Browser, proxy: Proxy) -> None:
    page = browser.new_page()
    page.add_init_script(HIDDEN)
    page.goto(proxy.url)
    wait_for_state(page, "live")
    page.evaluate("window.isHidden = true")
    for _ in range(2):
        before = page.title()
        wait_for_claim(page, "before => document.title !== before && document.title.startsWith('● ')", before, 5)


def test_a_publishers_clock_that_is_set_back_is_shown_and_the_page_stays_live(browser: Browser, proxy: Proxy) -> None:
    off = 0
    page = browser.new_page(timezone_id="UTC")
    change_stream(page, lambda message: {**message, "timestamp": message["timestamp"] + off})
    page.goto(proxy.url)
    wait_for_state(page, "live")
    show_rows(page, at_least=3)
    page.evaluate("window.states = []")
    before = page.locator("#clock .time").inner_text()
    off = -3600
    wait_for_claim(page, "document.querySelector('#state .advice').textContent.includes('clock was set back by 1 h')")
    page.wait_for_selector('#table tr.gap:has-text("the publisher\'s clock was set back by 1 h")')
    hours = [int(time[:2]) for time in (before, page.locator("#clock .time").inner_text())]
    assert (hours[0] - hours[1]) % 24 in {0, 1}  # 0: the hour changed meanwhile
    page.locator("#table-toggle").click()
    # The newest is drawn, at its own time, and what the clock had shown before is not to come yet.
    wait_for_claim(page, "document.querySelector('figure.large .plot').ariaLabel.includes('clock set back by 1 h')")
    assert set(page.evaluate("window.states")) <= {"live"}


def test_what_a_server_recalls_from_history_is_not_called_live(tmp_path: Path, browser: Browser) -> None:
    server = Server(tmp_path, STREAM_INTERVAL="10").start()
    wait_until(lambda: json.loads(server.get("/stream/history")[1])["snapshots"], what="a snapshot is stored")
    server.stop()
    server = Server(tmp_path, STREAM_INTERVAL="10", STREAM_PUBLISHER="false").start()
    try:
        page = browser.new_page()
        page.goto(server.url)
        wait_for_claim(page, "document.querySelector('#state .advice').textContent.includes('Waiting for new ones')")
        assert page.locator(".card .value", has_text="—").count() == 0
        # They are as dim as those from before a connection broke.
        assert page.evaluate("getComputedStyle(document.querySelector('.plot')).filter") == "grayscale(1)"
        assert "live" not in page.evaluate("window.states")
    finally:
        server.stop()


def test_a_source_switched_in_the_admin_shows_at_once_and_its_loss_too(
    browser: Browser, server: Server, proxy: Proxy, redis: Redis
) -> None:
    redis.set(portfolio__pnl=-1234.5, portfolio__positions=0, portfolio__exposure=0.5, portfolio__risk=0.2)
    page = browser.open(proxy.url)
    page.locator("#ranges span", has_text="5 min").click()
    admin = browser.new_page()
    admin.goto(f"http://127.0.0.1:{server.port}/admin/")
    admin.fill("[name=login]", "admin")
    admin.fill("[name=password]", PASSWORD)
    admin.click("[type=submit]")
    admin.goto(f"http://127.0.0.1:{server.port}/admin/metrics/datasource/")
    choose_source(admin, "Portfolio", "redis")
    wait_for_claim(page, "document.querySelector('[data-metric=pnl] .value').textContent === '−1,234.50'")
    assert page.locator("[data-group=portfolio] .is-simulated").count() == 0
    assert page.locator("[data-metric=positions] .value").inner_text() == "0"
    assert page.locator("[data-metric=pnl] .value.down").count() == 1
    reason = page.locator(".card[data-metric=volatility] .problem")
    assert reason.inner_text() == "missing"
    reason.focus()
    assert page.locator("#why-volatility").is_visible()
    assert "key is not there" in page.locator("#why-volatility").inner_text()
    page.keyboard.press("Escape")
    assert not page.locator("#why-volatility").is_visible()
    page.locator("#table-toggle").click()
    page.wait_for_selector("#table td:has-text('portfolio: redis')")

    redis.kill()
    wait_for_claim(page, "document.querySelector('[data-metric=pnl] .problem').textContent === 'unreachable'")
    assert page.locator("[data-metric=pnl] .value").first.inner_text() == "—"
    wait_for_state(page, "degraded")
    assert "5 of 12 values are missing (unreachable)" in page.locator("#state .advice").text_content()
    wait_for_title(page, "◆ DEGRADED —")
    wait_for_claim(page, "/Redis.*127/.test(document.querySelector('#reasons ul').textContent)")
    redis.start()
    choose_source(admin, "Portfolio", "mock")
    page.wait_for_selector("[data-group=portfolio] .is-simulated")


def choose_source(admin: Any, group: str, kind: str) -> None:
    admin.locator(f"[data-group={group.lower()}] tfoot a[href*='/switch/{kind}/']").click()
    admin.locator("button", has_text=f"Switch {group} to").click()
    admin.wait_for_selector(".messagelist .success")
