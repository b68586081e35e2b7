"""What the page is told: cards, charts and table follow from the catalogue, controls from what is declared here.

Templates and the page's modules get both, and keep no list of their own.
"""

import functools
import json
import re
import time
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings

from access.share import Share, metrics_shown
from metrics.catalogue import Group, Metric, metrics_of
from metrics.ranges import RANGES
from streaming.delivery.sharing import show_frame
from streaming.wire import Frame


@dataclass(frozen=True, slots=True)
class Preference:
    """Something that the reader chooses: `choices` are pairs of value and label, `default` is one of the values."""

    name: str
    label: str
    choices: tuple[tuple[str, str], ...]
    default: str


#: What the settings offer; the range has its place in the bar.
PREFERENCES = (
    Preference("theme", "Colours", (("auto", "System"), ("light", "Light"), ("dark", "Dark")), "auto"),
    Preference("profit", "Profit", (("green-up", "Green is up"), ("red-up", "Red is up")), "green-up"),
    Preference("compare", "Compare with", (("off", "Nothing"), ("day", "Yesterday"), ("week", "Last week")), "off"),
    Preference("zone", "Times", (("local", "Local"), ("utc", "UTC")), "local"),
)
RANGE_PREFERENCE = Preference("range", "Range", tuple((span.key, span.label) for span in RANGES), "1h")


#: What a module imports, as all of them write it.
IMPORT = re.compile(r'^import .* from "\./(.+)";$', re.MULTILINE)


@functools.cache  # the files do not change while a process runs, and the event loop shall not wait for the disk
def page_modules() -> tuple[str, ...]:
    """The ES modules of the page without its charts, for the browser to fetch at once instead of import after import.

    In the order in which they are imported: a browser has six connections to a server, and asks in this order.
    """
    folder = settings.BASE_DIR / "static" / "dashboard"
    names = ["page.js"]
    for name in names:  # grows meanwhile
        found = IMPORT.findall((folder / name).read_text())
        names += [each for each in dict.fromkeys(found) if each not in names]
    return tuple(f"dashboard/{name}" for name in names)


def page_groups(share: Share | None = None) -> list[dict[str, Any]]:
    """The groups in the page's order, each with `key`, `label` and `metrics` (heroes first); what `share` shows."""
    shown = {} if share is None else metrics_shown(share)
    return [
        {
            "key": group.value,
            "label": group.label,
            "metrics": sorted(
                (shown.get(metric.key, metric) for metric in metrics_of(group)), key=lambda metric: not metric.is_hero
            ),
        }
        for group in sorted(Group, key=lambda group: group.page_place)
        if share is None or group in share.groups
    ]


def describe_page(
    interval: float,
    latest: Frame | None,
    latest_age: float | None = None,
    *,
    base: str = "/stream/",
    share: Share | None = None,
) -> dict[str, Any]:
    """The page's data block: seconds between snapshots, currency, this server's clock, groups, metrics and controls.

    `base`: below which address it has the stream and history. `share`: what a share link shows of all that.

    And the newest snapshot, so that the page shows numbers before its WebSocket is open, with the seconds since it came
    to this process. None: it never came, it was recalled from history, and the page does not call it live.
    """
    groups = page_groups(share)
    if latest is not None and share is not None:
        latest = show_frame(latest, share)
    return {
        "base": base,
        "isShared": share is not None,
        "interval": interval,
        "currency": settings.CURRENCY,
        "served": time.time(),
        "latest": json.loads(latest.text) if latest else None,
        "latestAge": latest_age if latest else None,
        "groups": [{"key": group["key"], "label": group["label"]} for group in groups],
        "metrics": [describe_metric(metric) for group in groups for metric in group["metrics"]],
        "ranges": [asdict(span) for span in RANGES],
        "preferences": [asdict(preference) for preference in (RANGE_PREFERENCE, *PREFERENCES)],
    }


def describe_metric(metric: Metric) -> dict[str, Any]:
    """How one metric is shown."""
    return {
        "key": metric.key,
        "group": metric.group.value,
        "label": metric.label,
        "unit": metric.unit,
        "isPercent": metric.is_percent,
        "decimals": metric.decimals_for_people,
        "warn": metric.thresholds.warn,
        "critical": metric.thresholds.critical,
        "worse": metric.thresholds.worse.value,
        "type": metric.type.__name__,
        "texts": metric.texts,
        "isHero": metric.is_hero,
        "isSigned": metric.is_signed,
    }
