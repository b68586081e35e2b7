"""The admin in a real Chromium: looked at, switched without JavaScript, with axe, by touch, in both themes."""

import asyncio
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from metrics.catalogue import METRICS, Group, SourceKind
from metrics.choices import DEFAULT_CHOICES
from metrics.models import DataSource, SnapshotRecord
from metrics.reading import Problem, Reading
from metrics.snapshot import compose_snapshot
from metrics.sources.asker import Asker
from metrics.sources.mock import MockSource
from tests.admin_session import LIST, as_text
from tests.page_fixtures import Browser
from tests.processes import MEASURED, PASSWORD, ROOT, Redis, Server, need, wait_until

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
HISTORY = "/admin/metrics/snapshotrecord/"
PAGES = (
    "/admin/",
    LIST,
    f"{LIST}3/switch/redis/",
    f"{LIST}all/switch/redis/",
    f"{LIST}2/change/",
    HISTORY,
    "/admin/metrics/sourceswitch/",
    "/admin/metrics/note/",
    "/admin/metrics/note/add/",
)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis")).start()
    redis.set(portfolio__pnl="84517", portfolio__exposure="1.7", portfolio__positions="9", portfolio__updated_at="1")
    yield redis
    redis.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path, redis: Redis) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("admin-page")
    shutil.copy(prepared_database, folder)
    server = Server(folder, METRICS_REDIS_URL=redis.url, STREAM_INTERVAL="0.5", **MEASURED).start()
    yield server
    server.stop()


@pytest.fixture
def browser(chromium: Any) -> Iterator[Browser]:
    """Chromium; the test fails where one of its pages complained, about the policy, say."""
    browser = Browser(chromium)
    yield browser
    for context in browser.contexts:
        context.close()
    assert browser.complaints == []


def log_in(browser: Browser, server: Server, **options: Any) -> Any:
    """The page of all sources, for somebody who may switch them."""
    page = browser.new_page(**options)
    page.goto(f"{server.url}/admin/login/?next={LIST}")
    page.fill("[name=login]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.click("[type=submit]")
    return page


def column(page: Any, group: str, kind: str) -> Any:
    """The head of one source's column."""
    return page.locator(f"[data-group={group}] th[data-kind={kind}]")


def wait_for_published(page: Any, group: str, kind: str) -> None:
    """Ask again until the newest snapshot has this source."""

    def is_published() -> bool:
        page.click("text=Ask again")
        return "Published" in column(page, group, kind).inner_text()

    wait_until(is_published)


def test_a_switch_asks_takes_effect_and_is_taken_back_without_javascript(
    browser: Browser, server: Server, redis: Redis
) -> None:
    page = log_in(browser, server, java_script_enabled=False, **PHONE)
    wait_for_published(page, "portfolio", "mock")
    page.click("[data-group=portfolio] tfoot a")
    assert page.inner_text("h1") == "Switch Portfolio to Redis?"
    preview = page.inner_text(".comparison table")
    assert re.search(r"Profit and loss\s+[\d,.]+.*\s+→ 84,?517", preview)
    assert "5 of 5 values would have a problem" in page.inner_text(".comparison")  # the heartbeat is of 1970
    page.click("text=Cancel")
    assert server.receive(1)[0]["sources"]["portfolio"] == "mock"

    page.click("[data-group=portfolio] tfoot a")
    page.click("button:has-text('Switch Portfolio to Redis')")
    assert "Switched from Simulated (mock) to Redis" in page.inner_text(".messagelist")
    wait_until(lambda: server.receive(1)[0]["pnl"] == 84517)
    wait_for_published(page, "portfolio", "redis")

    page.click(".last-switches li:has-text('Portfolio') button")
    assert "Switched back from Redis to Simulated (mock)" in page.inner_text(".messagelist")
    wait_until(lambda: server.receive(1)[0]["sources"]["portfolio"] == "mock")


def test_each_problem_is_explained_beside_the_values(browser: Browser, server: Server) -> None:
    page = log_in(browser, server)
    text = re.sub(r"\s+", " ", page.inner_text("[data-group=portfolio] .explanations"))
    assert "Exposure invalid portfolio:exposure holds 1.7 allowed: a number, 0 to 1" in text
    assert "Risk missing no key portfolio:risk" in text
    assert "Heartbeat stale portfolio:updated_at holds 1 written" in text


@pytest.mark.parametrize(
    ("options", "theme"), [(PHONE, "dark"), (DESKTOP, "light")], ids=["phone, dark", "desktop, light"]
)
def test_axe_finds_nothing_and_nothing_is_cut_off(
    browser: Browser, server: Server, options: dict[str, Any], theme: str
) -> None:
    page = log_in(browser, server, color_scheme=theme, **options)
    axe = Path(need(AXE, "axe-core (npm ci)")).read_text()
    for address in PAGES:
        page.goto(server.url + address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        page.context.new_cdp_session(page).send("Runtime.evaluate", {"expression": axe})
        found = page.evaluate("axe.run({ preload: false }).then(({ violations }) => violations)")
        assert [(address, rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []
    # axe tries inline styles of its own to measure with; all other complaints stay.
    browser.complaints = [text for text in browser.complaints if "style" not in text]


def test_whatever_switches_is_large_enough_to_be_touched(browser: Browser, server: Server) -> None:
    page = log_in(browser, server, **PHONE)
    for address in (LIST, f"{LIST}2/switch/redis/"):
        page.goto(server.url + address)
        sizes = page.locator(".tool, #user-tools a, #user-tools button, .rules a").evaluate_all(
            "all => all.map((one) => one.getBoundingClientRect()).map(({ width, height }) => [width, height])"
        )
        assert len(sizes) > 4
        assert all(width >= 44 and height >= 44 for width, height in sizes)


def test_a_row_of_history_is_one_line_with_its_sources_on_the_screen(browser: Browser, server: Server) -> None:
    for options, lowest in ((DESKTOP, 40), (PHONE, 44)):
        page = log_in(browser, server, **options)
        page.goto(server.url + HISTORY)
        heights = page.locator("#result_list tbody tr").evaluate_all("rows => rows.map((row) => row.offsetHeight)")
        assert heights
        assert max(heights) <= lowest
        sources = page.locator("#result_list tbody .field-sources").first.bounding_box()
        assert sources["x"] + sources["width"] <= options["viewport"]["width"]


def test_the_dashboard_and_the_admin_lead_to_each_other(browser: Browser, server: Server) -> None:
    page = log_in(browser, server)
    page.click("#user-tools a:has-text('Dashboard')")
    page.wait_for_selector("#state[data-state=live]")
    page.click("#settings summary")
    page.click("#settings a:has-text('Staff')")
    assert page.url == server.url + LIST


# --- what is published, and what is not any more ---


@pytest.fixture
def without_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Redis, and an asker of this test's own."""
    asker = Asker("redis://127.0.0.1:1/0")
    monkeypatch.setattr("metrics.admin.candidates.asker", lambda: asker)


@pytest.mark.django_db
@pytest.mark.usefixtures("without_sources")
def test_before_the_first_snapshot_nothing_is_said_to_be_published(admin_client: Client) -> None:
    text = as_text(admin_client.get(LIST).content.decode())
    assert "● Published" not in text
    assert text.count("◐ From the next snapshot on") == 3
    row = DataSource.objects.get(group="ai")
    text = as_text(admin_client.get(f"{LIST}{row.pk}/switch/redis/").content.decode())
    assert "Nothing published" in text
    assert "4 of 4 values would have a problem" in text
    assert "Accuracy — → — unreachable" in text


def publish(age_s: float) -> None:
    """A snapshot of simulated values with a fallback, published `age_s` seconds ago, every 3 seconds one."""
    DataSource.objects.filter(group="ai").update(kind=SourceKind.REDIS, use_fallbacks=True)
    choices = {**DEFAULT_CHOICES, **DataSource.read_choices()}
    readings = asyncio.run(MockSource(1).read(choices, list(Group), 1))
    snapshot = compose_snapshot(
        choices,
        {**readings, Group.AI: Reading.failed(Group.AI, Problem.INVALID)},
        id=1,
        previous=None,
        timestamp=time.time() - age_s,
        interval=3.0,
    )
    SnapshotRecord.from_snapshot(snapshot, term=1).save()


@pytest.mark.django_db
@pytest.mark.usefixtures("without_sources")
def test_what_was_published_long_ago_is_not_called_published(admin_client: Client) -> None:
    publish(age_s=60)
    text = as_text(admin_client.get(LIST).content.decode())
    assert "● Published" not in text
    assert text.count("✕ Not published any more") == 3
    assert "published 60." in text


@pytest.mark.django_db
@pytest.mark.usefixtures("without_sources")
def test_a_published_fallback_is_called_one(admin_client: Client) -> None:
    publish(age_s=1)
    text = as_text(admin_client.get(LIST).content.decode())
    shown = METRICS["accuracy"].show(METRICS["accuracy"].fallback, with_unit=True)
    assert f"{shown} invalid, fallback" in text
    row = DataSource.objects.get(group="ai")
    assert "invalid, fallback" in as_text(admin_client.get(f"{LIST}{row.pk}/switch/mock/").content.decode())
