"""What is not real, or not of now, never looks real: each way of it really caused, and looked for all over the page.

Ways: simulated, fallback, stale, missing, invalid, unreachable; a gap, a frozen tab, a paused page, no network. Places:
the page as it comes, card, change, range, chart, small charts (there are no sparklines), table, CSV, title, icon, what
is read out. One page is enough for all of them. Means and lanes are the same rows', whichever way they got there:
tests/js/reality.test.js has each of them, tests/test_charts.py the bands as they are drawn.
"""

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

from tests.admin_session import LIST, AdminSession, as_text
from tests.page_fixtures import Browser, Proxy, launch, wait_for_claim
from tests.processes import Redis, Server

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
  const changes = [...card.querySelectorAll(".change")];
  // Whatever stands there, from a moment before: is it seen?
  const [said] = changes.map(({ textContent }) => textContent);
  changes[0].textContent = "1";
  const hasRoomForChange = changes[0].checkVisibility();
  changes[0].textContent = said;
  const isColoured = (element) => element.checkVisibility() && colours.includes(getComputedStyle(element).color);
  return {
    value: card.querySelector(".value").textContent,
    coloured: [...card.querySelectorAll(".value, .change, dd")].filter(isColoured).map(({ className }) => className),
    card: `${card.className} ${card.querySelector(".tag").textContent} ${card.querySelector(".meta").textContent}`,
    read: `${card.querySelector(".reading").textContent} ${card.querySelector(".why").textContent}`,
    state: document.querySelector("#state").textContent,
    title: document.title,
    icon: document.querySelector("link[rel=icon]").href,
    figures: ["high-name", "high", "low-name", "low"].map(
      (name) => card.querySelector(`[data-figure=${name}]`).textContent),
    chart: card.querySelector(".plot").ariaLabel,
    small: document.querySelector("figure[data-metric=positions] .plot").ariaLabel,
    change: changes.filter((element) => element.checkVisibility()).map(({ textContent }) => textContent).join(""),
    said,
    hasRoomForChange,
    drawn: [...new Set([...document.querySelectorAll(".plot, .lane")].map((each) => getComputedStyle(each).filter))],
  };
};
"""
#: Beginnings of the classes of what is in the colours of profit and loss where all is real.
COLOURED = '["value up", "change up", "up"]'
#: How much the chart of profit and loss shows after a time: the colour of real lines in its pixels, the window's end.
DRAWN_SINCE = """since => {
  const figure = document.querySelector("figure[data-metric=pnl]");
  const canvas = figure.querySelector("canvas");
  const [over, outer] = [figure.querySelector(".u-over"), canvas].map((element) => element.getBoundingClientRect());
  const [from, to] = figure.querySelector(".plot").dataset.window.split(" ").map(Number);
  const ratio = devicePixelRatio;
  const x = (time) => Math.ceil((over.left - outer.left + (over.width * (time - from)) / (to - from)) * ratio);
  const [left, right] = [x(since), x(to)];
  if (right - left < 2) return { to, real: -1 };
  const [top, height] = [(over.top - outer.top) * ratio, over.height * ratio];
  const { data } = canvas.getContext("2d").getImageData(left, top, right - left, height);
  const ink = [0x12, 0x18, 0x21];
  let real = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] > 200 && ink.every((part, index) => Math.abs(part - data[at + index]) < 40)) real += 1;
  }
  return { to, real };
}"""
#: The newest row of the table, and the last line of what the button downloads.
LISTED = """async () => {
  document.querySelector("#table-toggle").click();
  const names = [...document.querySelectorAll("#table thead th")].map(({ dataset }) => dataset.metric);
  const row = document.querySelector("#table tbody tr:not(.gap)");
  const cell = row.children[names.indexOf("pnl")];
  const table = `${cell.className} ${cell.textContent} ${row.lastElementChild.textContent}`;
  const address = document.querySelector("#csv").href;
  document.querySelector("#table-toggle").click();
  const [head, ...lines] = (await (await fetch(address)).text()).trim().split(/\\r?\\n/);
  const values = lines.at(-1).split(",");
  const csv = head.split(",").map((name, index) => `${name}=${values[index]}`);
  return { table, csv: csv.filter((text) => /^(pnl|source_portfolio|problems)=/.test(text)).join(" ") };
}"""


#: The times in what the button downloads, Unix seconds.
TIMES = """async () => {
  const [head, ...lines] = (await (await fetch(document.querySelector("#csv").href)).text()).trim().split(/\\r?\\n/);
  const at = head.split(",").indexOf("timestamp");
  return lines.map((line) => Number(line.split(",")[at]));
}"""
#: How charts and lanes of a time that is over look.
DIMMED = "grayscale(1)"


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
        chromium = launch(playwright)
        browser = Browser(chromium)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(LOOK)
        page.goto(f"{proxy.url}?range=5m&theme=light", wait_until="commit", timeout=1000 * PATIENCE_S)
        yield World(server, redis, proxy, browser, page, admin)
        chromium.close()
    proxy.close()
    server.stop()
    redis.stop()
    assert [text for text in browser.complaints if not text.startswith("Canvas2D: Multiple readback")] == []


@pytest.fixture
def world(everything: World) -> World:
    """A page whose profit and loss is real, of now, and in colour."""
    everything.redis.cli("DEL", "portfolio:updated_at")
    for pnl, shown in ((1000, "+1,000.00"), (1234.5, "+1,234.50")):
        everything.write(pnl=pnl, positions=3, exposure=0.5, risk=0.2, volatility=0.2)
        wait_for(everything.page, "shown => document.body?.dataset.state === 'live' && look().value === shown", shown)
    # The number, its change and a figure beside it: whatever comes has three colours to lose.
    wait_for(everything.page, f"({COLOURED}).every((part) => look().coloured.some((name) => name.startsWith(part)))")
    wait_for(everything.page, "window.look().figures[1] !== '—'")  # of one snapshot there is no range yet
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
    since = time.time()
    wait_for(world.page, f"since => ({DRAWN_SINCE})(since).to > since + 2", since)
    assert world.page.evaluate(DRAWN_SINCE, since)["real"] > 0
    listed = world.page.evaluate(LISTED)
    assert not re.search("flawed|^simulated|portfolio: simulated|=mock|problems=.", listed["table"] + listed["csv"]), (
        listed
    )


@contextmanager
def simulated(world: World) -> Iterator[None]:
    world.switch("mock")
    yield
    world.write(pnl=1000)  # what changes are counted from after a switch
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


@dataclass(frozen=True)
class Signs:
    """What must be found where profit and loss are not real, as regular expressions."""

    card: str
    #: Read out, with the number or the state.
    read: str
    #: The title's beginning.
    title: str
    #: What is shown of a change: nothing, or one that is of the same source and says over which time.
    change: str
    #: In the text alternative of a small chart of the same group.
    small: str
    #: In the page as it comes, before any script has run.
    first: str
    #: In the text alternative of the chart, in the newest row of the table, in the last line of the CSV.
    chart: str
    table: str
    csv: str


CASES: dict[Callable[[World], AbstractContextManager[None]], Signs] = {
    simulated: Signs(
        r"is-simulated.* sim",
        "simulated",
        r"● \+[\d,.]+ \(simulated\)",
        r"^$|^[▲▼■] \S+ in (\d+ s|\d min)$",
        "simulated",
        "is-simulated .*sim .*simulated",
        "in part simulated",
        "simulated .*portfolio: simulated",
        "source_portfolio=mock",
    ),
    fallback: Signs(
        r"is-fallback.* fallback",
        "fallback",
        r"◆ DEGRADED \+125,000.00 \(fallback\)",
        "^$",
        "Open positions",
        r"is-fallback .*fallback \+125,000.00 .*fallback",
        "in part .*missing",
        r"flawed \+125,000.00 \(fallback: missing\)",
        "pnl=125000.0 .*problems=.*pnl.*missing",
    ),
    stale: Signs(
        r"is-stale.*old",
        "stale",
        r"◐ DELAYED \+1,234.50 \(stale\)",
        "^$",
        "in part .*stale",
        r"is-stale .*\+1,234.50 .*stale",
        "in part .*stale",
        r"flawed \+1,234.50 \(stale\)",
        "problems=.*pnl.*stale",
    ),
    missing: Signs(
        "is-missing.*missing",
        "—.*missing",
        "◆ DEGRADED — ",
        "^$",
        "Open positions",
        "is-missing .*— .*missing",
        "in part .*missing",
        r"flawed — \(missing\)",
        "pnl= .*problems=.*pnl.*missing",
    ),
    invalid: Signs(
        "is-missing.*invalid",
        "—.*invalid",
        "◆ DEGRADED — ",
        "^$",
        "Open positions",
        "is-missing .*— .*missing",
        "in part .*invalid",
        r"flawed — \(invalid\)",
        "pnl= .*problems=.*pnl.*invalid",
    ),
    unreachable: Signs(
        "is-missing.*unreachable",
        "—.*unreachable",
        "◆ DEGRADED — ",
        "^$",
        "in part .*unreachable",
        "is-missing .*— .*missing",
        "in part .*unreachable",
        r"flawed — \(unreachable\)",
        "pnl= .*problems=.*pnl.*unreachable",
    ),
}


def assert_not_real(seen: dict[str, Any], icon: str, card: str, read: str, title: str) -> None:
    assert seen["coloured"] == []
    assert re.search(card, seen["card"], re.DOTALL), seen["card"]
    assert re.search(read, seen["read"] + seen["state"], re.DOTALL), seen
    assert re.match(title, seen["title"]), seen["title"]
    assert seen["icon"] != icon


def card_at_first(server: Server) -> str:
    """The classes and texts of the card of profit and loss in the page as it comes."""
    found = re.search(r'<article class="([^"]*)"\s+data-metric="pnl">(.*?)</article>', server.get("/")[1], re.DOTALL)
    assert found
    return f"{' '.join(found[1].split())} {as_text(found[2])}"


@pytest.mark.parametrize("cause", CASES, ids=lambda cause: cause.__name__)
def test_what_is_not_real_never_looks_real(
    world: World, cause: Callable[[World], AbstractContextManager[None]]
) -> None:
    signs = CASES[cause]
    page = world.page
    icon = page.evaluate("window.look().icon")
    wait_for(page, "window.look().figures[0] !== 'High, simulated'")  # the case before has come to its end
    figures = page.evaluate("window.look().figures")
    with cause(world):
        wait_for(page, "title => new RegExp('^' + title).test(document.title)", signs.title)
        since = time.time()  # the publisher's clock is this one
        seen = page.evaluate("window.look()")
        # The next snapshots are of the same kind: their time in the chart is looked at, some pixels wide.
        wait_for(page, f"since => ({DRAWN_SINCE})(since).to > since + 2", since)
        wait_for(page, "chart => new RegExp(chart).test(window.look().chart)", signs.chart)
        wait_for(page, "small => new RegExp(small).test(window.look().small)", signs.small)
        drawn = page.evaluate(DRAWN_SINCE, since)
        later = page.evaluate("window.look()")
        listed = page.evaluate(LISTED)
        first = card_at_first(world.server)
    assert_not_real(seen, icon, signs.card, signs.read, signs.title)
    assert re.search(signs.first, first), first
    for looked in (seen, later):
        assert re.search(signs.change, looked["change"]), looked["change"]
        assert looked["hasRoomForChange"] == (cause is simulated)
    assert drawn["real"] == 0
    if cause is simulated:  # all figures of a card are of one source, and this one's past has two
        assert later["figures"][0] == "High, simulated"
        assert later["figures"][1] != figures[1]
    else:  # neither of the range's figures is of it
        assert later["said"] == ""
        assert later["figures"][0] in {"High", "High, redis"}
        assert [later["figures"][at] for at in (1, 3)] == [figures[at] for at in (1, 3)]
    assert re.search(signs.table, listed["table"]), listed
    assert re.search(signs.csv, listed["csv"]), listed


def test_a_paused_page_never_looks_live(world: World) -> None:
    page = world.page
    icon = page.evaluate("window.look().icon")
    with paused(world):
        wait_for(page, "document.title.startsWith('❚❚ PAUSED +1,234.50')")
        seen = page.evaluate("window.look()")
        listed = page.evaluate(LISTED)
        wait_for(page, "/, ([4-9]|\\d\\d) newer/.test(document.querySelector('#detail').textContent)")
        later = page.evaluate("window.look()")
        assert page.evaluate(LISTED) == listed
    assert_not_real(seen, icon, "", "PAUSED", "❚❚ PAUSED ")
    assert [later[part] for part in ("value", "figures", "chart")] == [
        seen[part] for part in ("value", "figures", "chart")
    ]


def test_a_dead_stream_never_looks_real(world: World) -> None:
    icon = world.page.evaluate("window.look().icon")
    with stopped(world.server):
        wait_for(world.page, "document.body.dataset.state === 'stale'")
        seen = world.page.evaluate("window.look()")
        since = time.time() - 1
        until = time.time()
    assert_not_real(seen, icon, "", "STALE", "■ STALE ")
    assert seen["drawn"] == [DIMMED]
    # What nobody knows is a gap afterwards, wherever the time is shown.
    wait_for(world.page, "/\\d gaps?;|\\d gaps?$/.test(window.look().chart)")
    wait_for(world.page, f"since => ({DRAWN_SINCE})(since).to > since + 3", since)
    world.page.locator("#table-toggle").click()
    world.page.wait_for_selector("#table tr.gap:has-text('nothing was published')")
    world.page.locator("#table-toggle").click()
    # The file has no line of it.
    times = world.page.evaluate(TIMES)
    assert not [time_s for time_s in times if since < time_s < until]
    assert times[-1] >= until


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
    assert reconnecting["drawn"] == offline["drawn"] == [DIMMED]


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
    assert_not_real(seen, icon, "", "RECONNECTING", "↻ RECONNECTING ")
    assert seen["drawn"] == [DIMMED]
    wait_for(world.page, "icon => window.look().icon === icon", icon)
