"""How the page is laid out and drawn: on any screen, for any eyes, whatever it has to say."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from metrics.catalogue import METRICS
from tests.page_fixtures import Browser, Proxy, change_stream, find_with_axe, wait_for_claim
from tests.processes import Server

PATIENCE_S = 60
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
#: Of phones upright and on their side, of tablets, of small and large screens.
WIDTHS = (320, 360, 390, 600, 844, 961, 1024, 1200, 1201, 1440)
WALLS = [(1366, 768), (1920, 1080), (3840, 2160), (1080, 1920)]

#: Where everything in the bar stands, and where the page below it begins.
PLACES = """[...document.querySelectorAll(".bar, .pill, #clock, main, .card")].map((element) => {
  const { x, y, height } = element.getBoundingClientRect();
  return [x, y, height].map(Math.round).join();
})"""


#: What of the bar lies outside of the screen, or outside of the part that it belongs to.
OUTSIDE = """() => [...document.querySelectorAll(".pill, #retry, #clock, .controls :is(button, a, summary, span)")]
  .filter((element) => element.checkVisibility() && !element.matches(".unseen"))
  .filter((element) => {
    const { left, right } = element.getBoundingClientRect();
    const around = element.closest(".beside, body").getBoundingClientRect();
    return left < around.left || right > around.right + 0.5 || right > innerWidth + 0.5;
  }).map((element) => `${element.id} ${element.className} ${element.textContent.trim()}`)"""

#: Where the controls stand, and where the page begins.
CONTROLS = """[...document.querySelectorAll(".bar, .pill, .controls, .controls *, #clock, main")].map((element) => {
  const { x, y, width, height } = element.getBoundingClientRect();
  return [x, y, width, height].map(Math.round).join();
})"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("look"), STREAM_INTERVAL="0.5").start()
    yield server
    server.stop()


def open_page(browser: Browser, url: str, **options: Any) -> Any:
    page = browser.new_page(**options)
    page.goto(url, wait_until="commit", timeout=1000 * PATIENCE_S)
    wait_for_claim(page, "document.body?.dataset.state === 'live'", patience_s=PATIENCE_S)
    return page


def test_a_kiosk_shows_all_of_it_and_no_more_on_any_screen(browser: Browser, proxy: Proxy) -> None:
    page = open_page(browser, f"{proxy.url}?kiosk=1")
    for width, height in WALLS:
        page.set_viewport_size({"width": width, "height": height})
        wait_for_claim(page, "innerWidth === " + str(width))
        outside = page.evaluate(
            """[...document.querySelectorAll(".bar, .card, .value, .figures dd, .plot")].filter((element) => {
              const { left, top, right, bottom } = element.getBoundingClientRect();
              return left < 0 || top < 0 || right > innerWidth + 0.5 || bottom > innerHeight + 0.5;
            }).map(({ className }) => className)"""
        )
        assert outside == [], (width, height)
        wait_for_claim(page, "document.documentElement.scrollHeight <= innerHeight")
        smallest = min(width, height)
        assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('.card .value')).fontSize)") > (
            smallest / 30
        )


def test_no_number_is_cut_off_however_long(browser: Browser, proxy: Proxy) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    change_stream(page, lambda message: {**message, "pnl": -123456789012.34, "latency": 10**9})
    page.goto(proxy.url, wait_until="commit", timeout=1000 * PATIENCE_S)
    wait_for_claim(
        page,
        "document.querySelector('[data-metric=pnl] .value')?.textContent === '−123,456,789,012.34'",
        patience_s=PATIENCE_S,
    )
    for width in (360, 768, 1440, 3840):
        page.set_viewport_size({"width": width, "height": 900})
        wait_for_claim(page, "innerWidth === " + str(width))
        cut = page.evaluate(
            """[...document.querySelectorAll(".card")].filter((card) => {
              const range = document.createRange();
              range.selectNodeContents(card.querySelector(".value"));
              return range.getBoundingClientRect().right > card.getBoundingClientRect().right;
            }).map((card) => card.dataset.metric)"""
        )
        assert cut == [], width


def test_nothing_moves_because_of_a_message(browser: Browser, proxy: Proxy) -> None:
    for options in ({"viewport": {"width": 1440, "height": 900}}, PHONE):
        page = open_page(browser, proxy.url, **options)
        page.evaluate("document.querySelector('.simulated-note').hidden = true")  # as where all is real
        before = page.evaluate(PLACES)
        proxy.is_down = True
        proxy.cut()
        wait_for_claim(page, "document.body.dataset.state === 'reconnecting'", patience_s=PATIENCE_S)
        wait_for_claim(page, "document.querySelector('#state .advice').textContent !== ''")
        assert page.evaluate(PLACES) == before
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            wait_for_claim(page, f"innerWidth === {width}")
            assert page.evaluate(OUTSIDE) == [], width
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.set_viewport_size(options["viewport"])
        proxy.is_down = False
        wait_for_claim(page, "document.body.dataset.state === 'live'", patience_s=PATIENCE_S)
        assert page.evaluate(PLACES) == before


def test_nothing_moves_because_of_a_zoom(browser: Browser, proxy: Proxy) -> None:
    for width, height in ((1024, 768), (390, 844)):
        page = open_page(browser, proxy.url, viewport={"width": width, "height": height}, has_touch=width < 400)
        before = page.evaluate(CONTROLS)
        page.locator("#zoom [data-zoom=in]").click()
        wait_for_claim(page, "document.querySelector('#zoomed').checkVisibility()", patience_s=PATIENCE_S)
        assert page.evaluate(CONTROLS) == before
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        sign = page.locator("#zoomed").bounding_box()
        assert sign["x"] >= 0
        assert sign["x"] + sign["width"] <= width
        page.locator("#zoomed .reset").click()
        assert not page.locator("#zoomed").is_visible()


def test_the_browsers_own_bar_has_the_colour_of_the_theme_that_is_chosen(browser: Browser, proxy: Proxy) -> None:
    page = open_page(browser, f"{proxy.url}?theme=dark", color_scheme="light")
    read = "[...document.querySelectorAll('meta[name=theme-color]')].map(({ content }) => content)"
    assert set(page.evaluate(read)) == {"rgb(16, 20, 27)"}
    page.locator("#settings summary").click()
    page.locator("[data-preference=theme] span", has_text="Light").click()
    assert set(page.evaluate(read)) == {"rgb(255, 255, 255)"}


#: No two looks at the clock see the same time: what is computed from two of them shows it.
UNEASY_CLOCK = """
  const now = performance.now.bind(performance);
  let looks = 0;
  performance.now = () => now() + 0.01 * (looks += 1);
"""


@pytest.mark.parametrize(("span", "count"), [("5m", 6), ("1h", 20)])
def test_the_live_number_never_lies_outside_of_what_is_said_of_its_range(
    browser: Browser, proxy: Proxy, span: str, count: int
) -> None:
    steps = itertools.count(1)

    def rise(message: dict[str, Any]) -> dict[str, Any]:
        step = next(steps)
        return {**message, "pnl": 10**6 + 1000 * step, "latency": 10**4 + step}

    page = browser.new_page()
    page.add_init_script(UNEASY_CLOCK)
    change_stream(page, rise)
    page.goto(f"{proxy.url}?range={span}", wait_until="commit", timeout=1000 * PATIENCE_S)
    wait_for_claim(page, "document.querySelector('[data-metric=latency] .at')?.textContent.includes('max\\u00a010,0')")
    # History, which has the first of these snapshots with the value that it really had, is here.
    wait_for_claim(page, "document.querySelector('[data-figure=high]').textContent.startsWith('+1,0')")
    page.evaluate(
        """() => {
          const number = (text) => Number(text.replace(/[^\\d.]/g, ""));
          const text = (selector) => document.querySelector(selector).textContent;
          window.seen = { values: new Set(), outside: [] };
          const look = () => {
            const pairs = [
              [text("[data-metric=pnl] .value"), text("[data-figure=high]")],
              [text("[data-metric=latency] .value"), text("[data-metric=latency] .at").split("max\\u00a0")[1]],
            ];
            seen.values.add(pairs[0][0]);
            for (const [value, high] of pairs) if (!(number(value) <= number(high))) seen.outside.push([value, high]);
            requestAnimationFrame(look);
          };
          requestAnimationFrame(look);
        }"""
    )
    wait_for_claim(page, f"window.seen.values.size >= {count}", patience_s=PATIENCE_S)
    assert page.evaluate("window.seen.outside") == []


#: Parts of what stands beside charts that are cut: neither whole nor out of sight.
CUT = """[...document.querySelectorAll(".chart .at")].flatMap(({ firstChild, parentElement }) => {
  const { right, bottom } = parentElement.getBoundingClientRect();
  return [...(firstChild?.data ?? "").matchAll(/[^ ]+/g)].flatMap((part) => {
    const range = document.createRange();
    range.setStart(firstChild, part.index);
    range.setEnd(firstChild, part.index + part[0].length);
    const box = range.getBoundingClientRect();
    return box.right <= right + 0.5 || box.top >= bottom - 2 ? [] : [part[0]];
  });
})"""


def test_no_number_beside_a_chart_is_cut(browser: Browser, proxy: Proxy) -> None:
    passed = itertools.count(1)

    def take_away(message: dict[str, Any]) -> dict[str, Any]:
        if next(passed) < 5:
            return message
        sources = {**message["sources"], "ai": "redis"}
        return {**message, "sources": sources, "latency": None, "problems": {"latency": "unreachable"}}

    page = browser.new_page(viewport={"width": 1440, "height": 900})
    change_stream(page, take_away)
    page.goto(f"{proxy.url}?range=5m", wait_until="commit", timeout=1000 * PATIENCE_S)
    said = "document.querySelector('[data-metric=latency] .at')?.textContent"
    wait_for_claim(page, f"{said}?.startsWith('sim: min')", patience_s=PATIENCE_S)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wait_for_claim(page, f"innerWidth === {width}")
        assert page.evaluate(CUT) == [], width


def test_a_thumb_finds_the_ranges_and_sees_the_table_it_asked_for(browser: Browser, proxy: Proxy) -> None:
    page = open_page(browser, proxy.url, **PHONE)
    for control in page.locator("#ranges span, .tools button:visible, .tools a:visible, .tools summary").all():
        assert control.bounding_box()["height"] >= 44
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.locator("#table-toggle").click()
    wait_for_claim(page, "document.querySelectorAll('#table tbody tr').length > 0", patience_s=PATIENCE_S)
    top = page.locator("#table").bounding_box()["y"]
    assert 0 <= top < 844 / 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_where_numbers_are_old(browser: Browser, proxy: Proxy, theme: str) -> None:
    page = open_page(browser, f"{proxy.url}?theme={theme}")
    page.locator("#table-toggle").click()
    page.locator("#table-toggle").click()
    proxy.is_down = True
    proxy.cut()
    wait_for_claim(page, "document.body.dataset.state === 'reconnecting'", patience_s=PATIENCE_S)
    dimmed = "[...document.querySelectorAll('.plot, .lane')].map((element) => getComputedStyle(element).filter)"
    assert set(page.evaluate(dimmed)) == {"grayscale(1)"}
    assert page.locator(".card.text .value").inner_text() in METRICS["regime"].texts  # as the source wrote it
    page.locator("#zoom [data-zoom=in]").click()
    found = find_with_axe(browser, page)
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []


def test_what_is_simulated_is_told_without_colours(browser: Browser, proxy: Proxy) -> None:
    page = open_page(browser, proxy.url, forced_colors="active")
    styles = page.evaluate(
        """["pnl", "cpu"].map((key) => {
          const card = document.querySelector(`.card[data-metric=${key}]`);
          return [getComputedStyle(card).borderTopStyle, card.querySelector(".tag").textContent];
        })"""
    )
    assert styles == [["dashed", "sim"], ["solid", ""]]


def test_dark_charts_are_turned_round_on_paper(browser: Browser, proxy: Proxy) -> None:
    page = open_page(browser, f"{proxy.url}?theme=dark")
    page.wait_for_selector(".chart canvas", timeout=1000 * PATIENCE_S)
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('.chart canvas')).filter").startswith("invert(1)")
    assert page.evaluate(
        "getComputedStyle(document.querySelector('.chart canvas').closest('.card')).backgroundColor"
    ) == ("rgb(255, 255, 255)")
    page.emulate_media(media="screen")
    assert page.evaluate("getComputedStyle(document.querySelector('.chart canvas')).filter") == "none"
