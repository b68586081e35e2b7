"""What the page is told about the metrics: its cards, charts and table follow from the catalogue, nothing by hand."""

import json
import time
from typing import Any

from django.conf import settings

from metrics.catalogue import Group, Metric, metrics_of
from metrics.models import DataSource
from streaming.wire import Frame

#: The page's order of groups: what a trader looks at first comes first.
PAGE_GROUPS = (Group.PORTFOLIO, Group.AI, Group.SYSTEM)

RANGES = (("5m", "5 min"), ("1h", "1 h"), ("6h", "6 h"), ("24h", "24 h"), ("7d", "7 d"))
PREFERENCES = (
    {"name": "theme", "label": "Colours", "choices": (("auto", "System"), ("light", "Light"), ("dark", "Dark"))},
    {"name": "profit", "label": "Profit", "choices": (("green-up", "Green is up"), ("red-up", "Red is up"))},
    {"name": "zone", "label": "Times", "choices": (("local", "Local"), ("utc", "UTC"))},
)


def page_modules() -> list[str]:
    """The ES modules that the first paint needs, for the browser to fetch at once instead of import after import."""
    folder = settings.BASE_DIR / "static" / "dashboard"
    return [f"dashboard/{path.name}" for path in sorted(folder.glob("*.js")) if not path.name.startswith("chart")]


def page_groups() -> list[dict[str, Any]]:
    """The groups in the page's order, each with `key`, `label` and `metrics` (heroes first)."""
    labels = dict(DataSource.GROUPS)
    return [
        {
            "key": group.value,
            "label": labels[group.value],
            "metrics": sorted(metrics_of(group), key=lambda metric: not metric.is_hero),
        }
        for group in PAGE_GROUPS
    ]


def describe_page(interval: float, latest: Frame | None) -> dict[str, Any]:
    """The page's data block: seconds between snapshots, this server's clock, the groups and their metrics.

    And the newest snapshot, so that the page shows numbers before its WebSocket is open.
    """
    groups = page_groups()
    return {
        "interval": interval,
        "served": time.time(),
        "latest": json.loads(latest.message["text"]) if latest else None,
        "groups": [{"key": group["key"], "label": group["label"]} for group in groups],
        "metrics": [describe_metric(metric) for group in groups for metric in group["metrics"]],
    }


def describe_metric(metric: Metric) -> dict[str, Any]:
    """How one metric is shown."""
    return {
        "key": metric.key,
        "group": metric.group.value,
        "label": metric.label,
        "unit": metric.unit,
        "decimals": metric.decimals,
        "type": metric.type.__name__,
        "isHero": metric.is_hero,
        "isSigned": metric.is_signed,
    }
