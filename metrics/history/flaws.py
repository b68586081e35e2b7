"""How often which metric had which problem, by bucket."""

import json
from collections import Counter
from typing import Any

from django.db.models import Count, QuerySet

from metrics.catalogue import METRICS
from metrics.history.pages import read_whole

#: By bucket: by metric: by problem: in how many snapshots.
Flaws = dict[int, dict[str, dict[str, int]]]


def count_flaws(records: "QuerySet[Any, Any]") -> Flaws:
    """The problems in `records`, which have their `bucket` (blocking). Raises django.db.Error.

    The database counts the texts, of which there are few: a source that is away says the same for hours. One that
    cannot be read counts for none.
    """
    counts: dict[int, dict[str, Counter[str]]] = {}
    texts = records.filter(problem_count__gt=0).values("bucket", "problems").annotate(count=Count("id"))
    for row in read_whole(texts.order_by("bucket", "problems")):
        for key, problem in read_problems(row["problems"]):
            counts.setdefault(row["bucket"], {}).setdefault(key, Counter())[problem] += row["count"]
    return {bucket: {key: dict(found) for key, found in metrics.items()} for bucket, metrics in counts.items()}


def read_problems(text: str) -> list[tuple[str, str]]:
    """The metrics in the column `problems` of a row, each with its problem."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [(key, str(problem)) for key, problem in found.items() if key in METRICS] if isinstance(found, dict) else []
