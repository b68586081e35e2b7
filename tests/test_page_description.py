"""What the page is told of metrics, ranges and preferences, and what follows from it."""

import dataclasses
import re
from typing import Any

import pytest
from django.template.loader import render_to_string

from metrics.catalogue import METRICS, Metric
from metrics.ranges import RANGES
from streaming.web.page import (
    PREFERENCES,
    RANGE_PREFERENCE,
    Preference,
    describe_page,
    page_groups,
    page_modules,
)
from streaming.wire import Frame
from tests.processes import ROOT


@pytest.mark.parametrize("preference", [RANGE_PREFERENCE, *PREFERENCES], ids=lambda preference: preference.name)
def test_a_default_is_one_of_the_choices(preference: Preference) -> None:
    assert preference.default in dict(preference.choices)


def test_the_page_is_told_its_ranges_and_preferences() -> None:
    page = describe_page(3.0, None)
    assert [span["seconds"] for span in page["ranges"]] == [span.seconds for span in RANGES]
    assert [preference["name"] for preference in page["preferences"]] == ["range", "theme", "profit", "compare", "zone"]


def test_the_page_is_told_thresholds_units_and_the_currency(settings: Any) -> None:
    settings.CURRENCY = "EUR"
    page = describe_page(3.0, None)
    assert page["currency"] == "EUR"
    told = {metric["key"]: metric for metric in page["metrics"]}
    parts = ("warn", "critical", "worse", "isPercent", "decimals")
    assert [told["accuracy"][part] for part in parts] == [0.65, 0.55, "below", True, 1]
    assert [told["pnl"][part] for part in parts] == [None, None, "above", False, 2]
    assert told["cpu"]["decimals"] == 0  # of the two that are sent


def test_the_age_of_the_pages_own_snapshot_is_told_where_it_is_known() -> None:
    frame = Frame(1000, None, 0, '{"id":1000}')
    assert describe_page(3.0, frame, 0.5)["latestAge"] == 0.5
    assert describe_page(3.0, frame)["latestAge"] is None
    assert describe_page(3.0, None, 0.5)["latestAge"] is None


def render_card(metric: Metric) -> str:
    return render_to_string("dashboard/card.html", {"metric": metric})


def test_what_is_large_and_what_is_signed_is_declared_and_not_guessed_from_the_unit() -> None:
    plain = render_card(dataclasses.replace(METRICS["pnl"], is_hero=False, is_signed=False))
    assert not re.search(r'class="[^"]*(hero|signed|large)', plain)
    hero = render_card(dataclasses.replace(METRICS["latency"], is_hero=True))
    assert re.search(r'class="card hero', hero)
    assert 'class="chart large"' in hero
    assert re.search(r'class="card\s+signed', render_card(dataclasses.replace(METRICS["latency"], is_signed=True)))


def test_what_is_large_comes_first_in_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_catalogue = [METRICS["risk"], METRICS["positions"], METRICS["pnl"]]
    monkeypatch.setattr("streaming.web.page.metrics_of", lambda group: iter(in_the_catalogue))
    assert [metric.key for metric in page_groups()[0]["metrics"]] == ["pnl", "risk", "positions"]


def test_the_modules_fetched_ahead_are_those_that_the_page_imports() -> None:
    folder = ROOT / "static" / "dashboard"
    wanted, found = {"page.js"}, set[str]()
    while wanted - found:
        name = min(wanted - found)
        found.add(name)
        wanted |= set(re.findall(r'^import .* from "\./(.+)";$', (folder / name).read_text(), re.MULTILINE))
    assert {f"dashboard/{name}" for name in found} == set(page_modules())
    assert page_modules() is page_modules()  # the disk is asked once
