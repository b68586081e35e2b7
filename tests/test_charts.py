"""The charts in a real Chromium: what is drawn is read back, from the canvas and from what was written on it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.page_fixtures import Browser, Proxy, wait_for_claim
from tests.processes import Server, wait_until
from tests.varied_history import FALLBACK, GAP, MISSING, SIMULATED, STALE, fill_varied

#: Remembers what is written on canvases, and in which font; and how lines are dashed.
WRITTEN = """
window.dashes = new Set();
const dash = CanvasRenderingContext2D.prototype.setLineDash;
CanvasRenderingContext2D.prototype.setLineDash = function (parts) {
  window.dashes.add(parts.join());
  return dash.call(this, parts);
};
window.written = [];
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  const { m11, m12, e, f } = this.getTransform();
  const { actualBoundingBoxLeft: left, actualBoundingBoxRight: right } = this.measureText(text);
  const shift = this.textAlign === "center" ? 0 : 0;
  const metric = this.canvas.closest("figure")?.dataset.metric;
  const at = m12 ? null : [m11 * (x - left + shift) + e, m11 * (x + right + shift) + e];
  window.written.push({ text, metric, size: parseFloat(this.font), at, y: y + f, width: this.canvas.width });
  if (window.written.length > 5000) window.written.splice(0, 2500);
  return write.call(this, text, x, y);
};
"""
#: The colours in a metric's plot between two times, as `[red, green, blue, alpha]`; at least one column of pixels.
PIXELS = """([metric, first, last]) => {
  const figure = document.querySelector(`figure[data-metric=${metric}]`);
  const canvas = figure.querySelector("canvas");
  const over = figure.querySelector(".u-over").getBoundingClientRect();
  const outer = canvas.getBoundingClientRect();
  const [from, to] = figure.querySelector(".plot").dataset.window.split(" ").map(Number);
  const ratio = devicePixelRatio;
  const x = (time) => Math.floor((over.left - outer.left + (over.width * (time - from)) / (to - from)) * ratio);
  const [left, right] = [x(first), x(last)];
  const [top, height] = [(over.top - outer.top) * ratio, over.height * ratio];
  const { data } = canvas.getContext("2d").getImageData(left, top, Math.max(right - left, 1), height);
  const found = new Map();
  for (let at = 0; at < data.length; at += 4) {
    const pixel = [...data.slice(at, at + 4)];
    found.set(pixel.join(), pixel);
  }
  return [...found.values()];
}"""
SECONDS_OF_A_PIXEL = """metric => {
  const figure = document.querySelector(`figure[data-metric=${metric}]`);
  const [from, to] = figure.querySelector(".plot").dataset.window.split(" ").map(Number);
  return (to - from) / figure.querySelector(".u-over").clientWidth;
}"""
#: What says of when it is, on a page that is zoomed.
ZOOMED = """({
  present: [...document.querySelectorAll(".card .present")].map(({ textContent }) => textContent),
  figures: ["high-name", "low-name"].map((name) => document.querySelector(`[data-figure=${name}]`).textContent),
  change: document.querySelector(".card[data-metric=cpu] .change").textContent,
})"""
DRAWN = "document.querySelector('figure.large .plot').ariaLabel.includes('min')"
#: The accent colour of the light theme, in which lines of real values are drawn in small charts.
ACCENT = (0x0B, 0x62, 0xC4)


class VariedServer(Server):
    """A server with two hours of history, which goes on with a snapshot every 3 s, simulated."""

    #: What the history's ages count from, Unix seconds.
    filled: float


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VariedServer]:
    server = VariedServer(tmp_path_factory.mktemp("charts"), STREAM_INTERVAL="3")
    server.filled = fill_varied(server)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def forgiven() -> tuple[str, ...]:
    """The tests read canvases back."""
    return ("Canvas2D: Multiple readback",)


def open_page(browser: Browser, url: str, **options: Any) -> Any:
    """A page with its charts drawn, in the light theme unless the address says another."""
    page = browser.new_page(**{"viewport": {"width": 1440, "height": 1400}, "timezone_id": "UTC", **options})
    page.add_init_script(WRITTEN)
    page.goto(url + ("&" if "?" in url else "?") + "theme=light")
    page.wait_for_selector(".chart canvas")
    wait_for_claim(page, DRAWN)
    return page


def colours(page: Any, server: VariedServer, metric: str, older: float, newer: float) -> list[tuple[int, ...]]:
    """What is drawn between two ages of the history."""
    times = [server.filled - older, server.filled - newer]
    return [tuple(pixel) for pixel in page.evaluate(PIXELS, [metric, *times])]


def is_near(pixel: tuple[int, ...], colour: tuple[int, int, int]) -> bool:
    return pixel[3] > 200 and all(abs(a - b) < 40 for a, b in zip(pixel[:3], colour, strict=True))


def is_band(pixel: tuple[int, ...]) -> bool:
    """Whether it is of the accent's translucent fill, 12 % of it: what is translucent has few shades left."""
    return 25 < pixel[3] < 40 and all(abs(a - b) < 30 for a, b in zip(pixel[:3], ACCENT, strict=True))


def label(page: Any, metric: str) -> str:
    text: str = page.locator(f"figure[data-metric={metric}] .plot").get_attribute("aria-label")
    return text


@pytest.mark.parametrize("ratio", [1, 2])
def test_what_stood_in_for_values_is_drawn_in_no_line_of_real_ones(
    browser: Browser, proxy: Proxy, server: VariedServer, ratio: int
) -> None:
    page = open_page(browser, proxy.url, device_scale_factor=ratio)
    assert any(is_near(pixel, ACCENT) for pixel in colours(page, server, "accuracy", 3500, 2200))
    for older, newer in ((STALE[1] - 40, STALE[0] + 60), (FALLBACK[1] - 40, FALLBACK[0] + 60)):
        assert not [pixel for pixel in colours(page, server, "accuracy", older, newer) if is_near(pixel, ACCENT)]
    # A bucket of several values has a band in the same colour, where they are real.
    assert any(is_band(pixel) for pixel in colours(page, server, "latency", 3500, 2200))
    for first, last in (STALE, FALLBACK, MISSING, GAP, SIMULATED):
        assert not [pixel for pixel in colours(page, server, "latency", last - 40, first + 40) if is_band(pixel)]
    # What is simulated is dashed, what stood in is dotted, and neither looks like the other on a fine screen.
    dashes = set(page.evaluate("[...window.dashes]"))
    assert {f"{5 * ratio},{3 * ratio}", f"{1.5 * ratio:g},{3 * ratio}"} <= dashes


def test_the_range_is_that_of_real_values_and_says_the_true_extremes(browser: Browser, proxy: Proxy) -> None:
    page = open_page(browser, proxy.url)
    assert re.match(r"Latency: simulated: min \d+, max \d+ ms", label(page, "latency"))  # as it is now
    assert "redis: min 100, max 959 ms" in label(page, "latency").split("; ")  # 400 were stand-ins and simulated
    assert {"in part simulated", "in part missing, unreachable, stale"} <= {*label(page, "latency").split("; ")}
    assert "redis → simulated, by ada" in label(page, "latency")
    assert label(page, "accuracy").startswith("Accuracy: ")


@pytest.mark.parametrize("ratio", [1, 1.25, 2])
def test_no_line_crosses_a_gap_however_narrow(
    browser: Browser, proxy: Proxy, server: VariedServer, ratio: float
) -> None:
    page = open_page(browser, f"{proxy.url}?range=6h", device_scale_factor=ratio)
    wait_for_claim(page, "document.querySelector('figure.large .plot').ariaLabel.includes('1 gap')")
    middle = (GAP[0] + GAP[1]) / 2
    for metric in ("accuracy", "latency", "positions"):
        pixel = page.evaluate(SECONDS_OF_A_PIXEL, metric)
        assert pixel > (GAP[1] - GAP[0]) / 3  # a gap that alone would be narrower than what is looked at
        drawn = colours(page, server, metric, middle + pixel / 2, middle - pixel / 2)
        assert not [colour for colour in drawn if is_near(colour, ACCENT)]


@pytest.mark.parametrize("ratio", [1, 1.25, 2])
def test_axes_say_each_thing_once_in_letters_that_can_be_read(browser: Browser, proxy: Proxy, ratio: float) -> None:
    page = open_page(browser, proxy.url, device_scale_factor=ratio)
    page.evaluate("window.written = []")
    page.set_viewport_size({"width": 1400, "height": 1400})
    wait_for_claim(page, "window.written.length > 60")
    written = page.evaluate("window.written")
    assert min(line["size"] for line in written) >= 8 * ratio
    # Ratios are percents, on the axes as on the cards.
    assert not [line for line in written if line["metric"] in {"accuracy", "risk"} and line["text"].startswith("0.")]
    last: dict[str, set[str]] = {}
    for line in written:
        if re.fullmatch(r"[−\d.,]+[kM]?", line["text"]):
            last.setdefault(line["metric"], set()).add(line["text"])
    assert len(last["pnl"]) >= 2
    assert not [line for line in written if line["at"] and (line["at"][0] < -1 or line["at"][1] > line["width"] + 1)]


def test_no_label_is_cut_off_where_axes_change_with_their_labels(browser: Browser, proxy: Proxy) -> None:
    page = open_page(browser, f"{proxy.url}?range=24h", viewport={"width": 390, "height": 844})
    for metric in ("latency", "cpu", "positions"):
        page.locator(f"figure[data-metric={metric}]").scroll_into_view_if_needed()
        wait_for_claim(page, "metric => window.written.some((line) => line.metric === metric)", metric)
    assert [line for line in page.evaluate("window.written") if line["at"] and line["at"][0] < -1] == []


def drag(page: Any, metric: str, start: float, end: float) -> None:
    """Draw the mouse across a chart, from one part of its width to another."""
    box = page.locator(f"figure[data-metric={metric}] .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * start, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, box["y"] + 40, steps=5)
    page.mouse.up()


def test_a_zoom_asks_for_the_step_that_fits_says_so_and_has_a_way_back(browser: Browser, proxy: Proxy) -> None:
    page = open_page(browser, f"{proxy.url}?range=1h")
    assert not page.locator("#zoomed .when").is_visible()
    with page.expect_request(lambda request: "/stream/history?from=" in request.url and "step" not in request.url):
        drag(page, "pnl", 0.3, 0.5)
    wait_for_claim(page, "/from=\\d+&to=\\d+/.test(location.search)")
    assert page.locator("#zoomed .when").is_visible()
    address = page.url
    again = open_page(browser, address)
    wait_for_claim(again, "document.querySelector('#zoomed .when').textContent !== ''")
    assert again.locator("#zoomed .when").inner_text() == page.locator("#zoomed .when").inner_text()
    # The numbers are of now, the charts are not: each says which it is.
    wait_for_claim(again, "document.querySelector('figure.large .at').textContent.startsWith('zoomed: ')")
    said = again.evaluate(ZOOMED)
    assert set(said["present"]) == {"now"}
    assert said["figures"] == ["High, simulated, last 1 h", "Low, simulated, last 1 h"]
    assert said["change"].endswith(" in the last 1 h")
    again.locator("#pause").click()
    wait_for_claim(again, "document.querySelector('.present').textContent === 'paused'")
    again.goto(f"{proxy.url}?kiosk=1&from=1000&to=2000")
    wait_for_claim(
        again, "document.querySelector('figure.large .at').textContent === 'zoomed: nothing is kept of this time'"
    )
    page.keyboard.press("Escape")
    wait_for_claim(page, "!location.search.includes('from')")
    assert not page.locator("#zoomed .when").is_visible()
    page.locator("#zoom [data-zoom=in]").click()
    page.locator("#zoomed .reset").click()
    wait_for_claim(page, "!location.search.includes('from')")


def test_a_narrow_drag_leaves_nothing_on_any_chart(browser: Browser, proxy: Proxy) -> None:
    page = open_page(browser, proxy.url)
    box = page.locator("figure[data-metric=pnl] .u-over").bounding_box()
    drag(page, "pnl", 0.5, 0.5 + 3 / box["width"])
    widths = page.evaluate("[...document.querySelectorAll('.u-select')].map((band) => band.offsetWidth)")
    assert set(widths) == {0}
    assert "from=" not in page.url


def test_two_fingers_zoom(browser: Browser, proxy: Proxy) -> None:
    page = open_page(browser, proxy.url, has_touch=True)
    box = page.locator("figure[data-metric=pnl] .u-over").bounding_box()
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *parts: float) -> None:
        points = [{"x": box["x"] + box["width"] * part, "y": box["y"] + 30, "id": n} for n, part in enumerate(parts)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.45, 0.55)
    for spread in (0.1, 0.15, 0.2, 0.3):
        touch("touchMove", 0.5 - spread, 0.5 + spread)
    touch("touchEnd")
    wait_for_claim(page, "/from=\\d+&to=\\d+/.test(location.search)")
    start, end = (int(part) for part in re.findall(r"(?:from|to)=(\d+)", page.url))
    assert 300 < end - start < 1200
    page.locator("#zoomed .reset").click()


def test_a_paused_page_stands_still_whichever_range_is_chosen(browser: Browser, proxy: Proxy) -> None:
    page = open_page(browser, f"{proxy.url}?range=5m")
    page.locator("#table-toggle").click()
    page.locator("#pause").click()
    wait_for_claim(page, "/, [2-9] newer/.test(document.querySelector('#detail').textContent)")
    newest = page.locator("#table tbody th").first.inner_text()
    numbers = page.locator(".card .value").all_inner_texts()
    for span in ("1 h", "5 min"):
        page.locator("#ranges span", has_text=span).click()
        wait_for_claim(
            page,
            "text => document.querySelector('#table-hint').textContent.includes(text)",
            "means of" if span == "1 h" else "snapshots",
        )
        assert page.locator("#table tbody th").first.inner_text() <= newest
        assert page.locator(".card .value").all_inner_texts() == numbers
    assert page.locator("#table tbody th").first.inner_text() == newest


def test_the_table_keeps_the_rows_that_it_has(browser: Browser, proxy: Proxy) -> None:
    page = open_page(browser, f"{proxy.url}?range=5m")
    page.locator("#table-toggle").click()
    wait_for_claim(page, "document.querySelectorAll('#table tbody tr').length > 5")
    page.evaluate("window.first = document.querySelector('#table tbody tr')")
    wait_for_claim(page, "window.first.isConnected && window.first !== document.querySelector('#table tbody tr')")
    assert page.locator("#table td.flawed", has_text="stale").count() > 0 or page.locator("td.simulated").count() > 0


def test_nothing_is_invented_while_history_is_awaited(browser: Browser, proxy: Proxy) -> None:
    page = browser.new_page(timezone_id="UTC")
    page.add_init_script(WRITTEN)
    held: list[Any] = []
    page.route(re.compile("/stream/history"), lambda route: held.append(route))
    page.goto(proxy.url)
    page.wait_for_selector(".chart canvas")
    wait_for_claim(page, "document.querySelector('figure.large .at').textContent === 'loading…'")
    numbers = [line["text"] for line in page.evaluate("window.written") if re.fullmatch(r"[−\d.,]+[kM]?", line["text"])]
    assert numbers == []
    for route in held:
        route.continue_()
    page.unroute(re.compile("/stream/history"))
    wait_for_claim(page, DRAWN)


def test_a_young_history_fills_its_chart(browser: Browser, tmp_path: Path) -> None:
    server = Server(tmp_path, STREAM_INTERVAL="0.5").start()
    try:
        page = open_page(browser, f"{server.url}?range=24h")
        wait_for_claim(page, "document.querySelector('figure.large .at').textContent.includes('collecting for')")
        wait_until(lambda: json.loads(server.get("/stream/history?points=2")[1])["oldest"])
    finally:
        server.stop()


def test_forced_colours_hide_no_line(browser: Browser, proxy: Proxy, server: VariedServer) -> None:
    page = open_page(browser, proxy.url, forced_colors="active")
    middle = (GAP[0] + GAP[1]) / 2
    assert all(pixel[3] < 160 for pixel in colours(page, server, "positions", middle, middle))
