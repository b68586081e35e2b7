"""The alert rules for Prometheus, by its own tools: each fires for what it is meant for, and says where to read on."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.processes import ROOT, need

RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
TESTS = ROOT / "tests" / "alerts.test.yaml"
ALERTS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]


@pytest.mark.parametrize(
    "words", [["check", "rules", str(RULES)], ["test", "rules", str(TESTS)]], ids=["check", "test"]
)
def test_prometheus_takes_the_rules_and_each_fires_when_it_should(words: list[str]) -> None:
    promtool = need(shutil.which("promtool") or "/usr/bin/promtool", "promtool (Debian's package prometheus)")
    done = subprocess.run([promtool, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried() -> None:
    tried = re.findall(r'alertname="(\w+)"', TESTS.read_text())
    assert sorted(tried) == sorted(rule["alert"] for rule in ALERTS)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_every_alert_says_what_to_do_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert not anchor or anchor in anchors
