"""What is not real, or not of now, never looks real: each way of it really caused, and looked for all over the page."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.admin_session import LIST, AdminSession
from tests.page_fixtures import Browser, Proxy, wait_for_claim
from tests.processes import Redis, Server, need

PATIENCE_S = 60

#: What the page shows of profit and loss: whether in the colours of profit or loss, and what it says to whom.
LOOK = """
window.look = () => {
  const probe = document.body.appendChild(document.createElement("span"));
  const colours = ["--up", "--down"].map((name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  const card = document.querySelector(".card[data-metric=pnl]");
  const isColoured = (element) => element.checkVisibility() && colours.includes(getComputedStyle(element).color);
  return {
    value: card.querySelector(".value").textContent,
    coloured: [...card.querySelectorAll(".value, .change, dd")].filter(isColoured).map(({ className }) => className),
    card: `${card.className} ${card.querySelector(".tag").textContent} ${card.querySelector(".meta").textContent}`,
    read: `${card.querySelector(".reading").textContent} ${card.querySelector(".why").textContent}`,
    state: document.querySelector("#state").textContent,
    title: document.title,
    icon: document.querySelector("link[rel=icon]").href,
  };
};
"""


@dataclass
class World:
    """The page and all that it depends on."""

    server: Server
    redis: Redis
    proxy: Proxy
    browser: Browser
    page: Any
    admin: AdminSession

    def switch(self, kind: str) -> None:
        self.admin.click("Portfolio", kind)

    def change(self, **fields: str) -> None:
        """Save the form of the portfolio's source."""
        number = re.search(r"/datasource/(\d+)/", self.admin.rows()["Portfolio"]["html"])
        assert number
        address = f"{LIST}{number[1]}/change/"
        _, form = self.admin.get(address)
        shown = dict(re.findall(r'<input type="hidden" name="(initial-\w+)" value="([^"]*)"', form))
        status, page = self.admin.post(address, **{"max_age_s": "30", **shown, **fields})
        assert status == 200, page
        assert "errornote" not in page, page

    def write(self, **values: object) -> None:
        self.redis.set(**{f"portfolio__{key}": value for key, value in values.items()})


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("reality")
    redis = Redis(folder).start()
    server = Server(folder, METRICS_REDIS_URL=redis.url, STREAM_INTERVAL="0.5").start()
    admin = AdminSession(server)
    admin.click("Portfolio", "redis")
    proxy = Proxy(server.port)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=need("/usr/bin/chromium", "Chromium"),
            args=["--no-sandbox", "--disable-background-networking"],
        )
        browser = Browser(chromium)
        page = browser.new_page()
        page.add_init_script(LOOK)
        page.goto(f"{proxy.url}?range=5m", wait_until="commit", timeout=1000 * PATIENCE_S)
        yield World(server, redis, proxy, browser, page, admin)
        chromium.close()
    proxy.close()
    server.stop()
    redis.stop()
    assert browser.complaints == []


@pytest.fixture
def world(everything: World) -> World:
    """A page whose profit and loss is real, of now, and in colour."""
    everything.write(pnl=1234.5, positions=3, exposure=0.5, risk=0.2, volatility=0.2)
    everything.redis.cli("DEL", "portfolio:updated_at")
    wait_for(everything.page, "document.body.dataset.state === 'live' && window.look().value === '+1,234.50'")
    return everything


def wait_for(page: Any, claim: str, argument: Any = None) -> None:
    wait_for_claim(page, claim, argument, PATIENCE_S)


def test_what_is_real_and_of_now_looks_so(world: World) -> None:
    world.write(pnl=1240)
    wait_for(world.page, "window.look().value === '+1,240.00'")
    # A change is told when there is a little of a past.
    wait_for(world.page, "window.look().coloured.some((name) => name.startsWith('change'))")
    seen = world.page.evaluate("window.look()")
    assert seen["coloured"][0].startswith("value")
    assert seen["title"].startswith("● +1,240.00 · ")
    assert not re.search("simulated|stale|fallback|missing|PAUSED|STALE|DEGRADED", seen["read"] + seen["state"])


@contextmanager
def simulated(world: World) -> Iterator[None]:
    world.switch("mock")
    yield
    world.switch("redis")


@contextmanager
def fallback(world: World) -> Iterator[None]:
    world.redis.cli("DEL", "portfolio:pnl")
    world.change(use_fallbacks="on")
    yield
    world.change()


@contextmanager
def stale(world: World) -> Iterator[None]:
    world.write(updated_at=time.time() - 100)
    yield


@contextmanager
def missing(world: World) -> Iterator[None]:
    world.redis.cli("DEL", "portfolio:pnl")
    yield


@contextmanager
def invalid(world: World) -> Iterator[None]:
    world.write(pnl="a lot")
    yield


@contextmanager
def unreachable(world: World) -> Iterator[None]:
    with stopped(world.redis):
        yield


@contextmanager
def paused(world: World) -> Iterator[None]:
    world.page.locator("#pause").click()
    yield
    world.page.locator("#pause").click()


@contextmanager
def stopped(process: Server | Redis) -> Iterator[None]:
    process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send(signal.SIGCONT)


#: How it comes about; what the card says, what is read out with the number or the state, what the title begins with.
CASES: dict[Callable[[World], AbstractContextManager[None]], tuple[str, str, str]] = {
    simulated: (r"is-simulated.* sim", "simulated", r"● \+[\d,.]+ \(simulated\)"),
    fallback: (r"is-fallback.* fallback", "fallback", r"◆ DEGRADED \+125,000.00 \(fallback\)"),
    stale: (r"is-stale.*old", "stale", r"◐ DELAYED \+1,234.50 \(stale\)"),
    missing: ("is-missing.*missing", "—.*missing", "◆ DEGRADED — "),
    invalid: ("is-missing.*invalid", "—.*invalid", "◆ DEGRADED — "),
    unreachable: ("is-missing.*unreachable", "—.*unreachable", "◆ DEGRADED — "),
    paused: ("", "PAUSED", r"❚❚ PAUSED \+1,234.50"),
}


def assert_not_real(seen: dict[str, Any], icon: str, card: str, read: str, title: str) -> None:
    assert seen["coloured"] == []
    assert re.search(card, seen["card"], re.DOTALL), seen["card"]
    assert re.search(read, seen["read"] + seen["state"], re.DOTALL), seen
    assert re.match(title, seen["title"]), seen["title"]
    assert seen["icon"] != icon


@pytest.mark.parametrize("cause", CASES, ids=lambda cause: cause.__name__)
def test_what_is_not_real_never_looks_real(
    world: World, cause: Callable[[World], AbstractContextManager[None]]
) -> None:
    card, read, title = CASES[cause]
    icon = world.page.evaluate("window.look().icon")
    with cause(world):
        wait_for(world.page, "title => new RegExp('^' + title).test(document.title)", title)
        seen = world.page.evaluate("window.look()")
    assert_not_real(seen, icon, card, read, title)


def test_a_dead_stream_never_looks_real(world: World) -> None:
    icon = world.page.evaluate("window.look().icon")
    with stopped(world.server):
        wait_for(world.page, "document.body.dataset.state === 'stale'")
        seen = world.page.evaluate("window.look()")
    assert_not_real(seen, icon, "", "STALE", "■ STALE ")


def test_what_was_there_before_the_network_went_never_looks_real(world: World) -> None:
    icon = world.page.evaluate("window.look().icon")
    world.proxy.is_down = True
    world.proxy.cut()
    try:
        wait_for(world.page, "document.body.dataset.state === 'reconnecting'")
        reconnecting = world.page.evaluate("window.look()")
        world.page.context.set_offline(True)
        wait_for(world.page, "document.body.dataset.state === 'offline'")
        offline = world.page.evaluate("window.look()")
    finally:
        world.page.context.set_offline(False)
        world.proxy.is_down = False
    assert_not_real(reconnecting, icon, "", "RECONNECTING", "↻ RECONNECTING ")
    assert_not_real(offline, icon, "", "OFFLINE", "✕ OFFLINE ")


def test_what_a_frozen_tab_wakes_with_never_looks_real(world: World) -> None:
    icon = world.page.evaluate("window.look().icon")
    world.page.evaluate(
        """window.looks = {};
        new MutationObserver(() => (window.looks[document.body.dataset.state] ??= window.look()))
          .observe(document.body, { attributes: true, attributeFilter: ["data-state"] })"""
    )
    processes = world.browser.chromium.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    tabs = [process["id"] for process in processes if process["type"] == "renderer"]
    for tab in tabs:
        os.kill(tab, signal.SIGSTOP)
    try:
        world.proxy.lose()
        time.sleep(5)  # the sleep itself
    finally:
        for tab in tabs:
            os.kill(tab, signal.SIGCONT)
    wait_for(world.page, "'reconnecting' in window.looks")
    seen = world.page.evaluate("window.looks.reconnecting")
    assert seen["coloured"] == []
    assert "RECONNECTING" in seen["state"]
    assert seen["title"].startswith("↻ RECONNECTING ")
    wait_for(world.page, "icon => window.look().icon === icon", icon)
