"""What the Grafana dashboard asks Prometheus for."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.processes import ROOT

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())
#: A series of ours that an expression names.
NAME = re.compile(r"\bquantum_\w+")
#: What Grafana puts for its own variables.
FIXED = {"$job": "quantum-dashboard", "$instance": ".+", "$__rate_interval": "1m"}


def panels() -> list[dict[str, Any]]:
    """All that show something."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def variables() -> dict[str, str]:
    """The selectors by which Grafana finds the names that it repeats a panel for, by the variable."""
    queries = {one["name"]: one["query"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"}
    found = {name: re.fullmatch(r"label_values\((.+), __name__\)", query["query"]) for name, query in queries.items()}
    return {f"${name}": fill(match.group(1)) for name, match in found.items() if match}


def targets() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each question, with the title of its panel."""
    return ((panel["title"], target) for panel in panels() for target in panel["targets"])


def fill(expression: str, **variables: str) -> str:
    """The expression as Grafana sends it; `variables`: what it puts for others than its own."""
    for name, value in [*FIXED.items(), *((f"${name}", value) for name, value in variables.items())]:
        expression = expression.replace(name, value)
    return expression
