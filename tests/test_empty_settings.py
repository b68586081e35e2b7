"""Set to nothing means not set, as deployment tools do it, for every setting of the README."""

import re
from pathlib import Path

from tests.processes import ROOT, Server, run_manage


def test_settings_that_are_set_to_nothing_are_not_set(tmp_path: Path) -> None:
    table = (ROOT / "README.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
    names = {
        name for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert {"LOG_LEVEL", "STREAM_INTERVAL", "WORKERS"} <= names
    empty = dict.fromkeys(names - {"SECRET_KEY"}, "")
    checked = run_manage("check", **{**Server(tmp_path).environment, **empty})
    assert checked.returncode == 0, checked.stderr
