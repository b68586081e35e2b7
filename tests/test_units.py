"""The units for systemd: right in its own eyes, and closed to what the dashboard does not need."""

import shutil
import subprocess
from pathlib import Path

import pytest

from streaming.runtime import PULSE_S
from tests.processes import ROOT, need

UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    program = need(shutil.which("systemd-analyze") or "/usr/bin/systemd-analyze", "systemd-analyze")
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60)


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text().replace("/opt/quantum-dashboard/current", str(ROOT))
        (tmp_path / unit.name).write_text(text.replace("User=quantum-dashboard", "User=daemon"))
    verdict = analyze("verify", "--man=no", "--recursive-errors=no", *(str(tmp_path / unit.name) for unit in UNITS))
    assert verdict.returncode == 0, verdict.stderr
    assert not [line for line in verdict.stderr.splitlines() if "quantum-dashboard" in line]


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.suffix == ".service"], ids=lambda unit: str(unit.name))
def test_a_service_is_exposed_to_little(unit: Path) -> None:
    assert analyze("security", "--offline=true", "--threshold=20", str(unit)).returncode == 0  # of 100


@pytest.mark.parametrize("name", ["quantum-dashboard.service", "quantum-dashboard-publisher.service"])
def test_a_service_that_hangs_is_started_anew(name: str) -> None:
    """It says by itself that it serves and is well (test_supervisor.py), far more often than it has to."""
    (unit,) = (unit for unit in UNITS if unit.name == name)
    text = unit.read_text()
    assert "Type=notify" in text
    assert int(text.partition("WatchdogSec=")[2].partition("\n")[0]) > 4 * PULSE_S
    assert "Restart=always" in text
