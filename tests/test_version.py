"""The version stands in one place, and everything that shows one shows that."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import django
import pytest
from asgiref.sync import async_to_sync
from django.conf import settings

from quantum_dashboard import __version__
from streaming.runtime import Runtime
from tests.hubs import RuntimeClient
from tests.processes import ROOT


def manage(*words: str, secret_key: str = "long-enough-for-a-test-of-what-a-command-prints") -> str:
    environment = {**os.environ, "SECRET_KEY": secret_key, "DEBUG": "false"}
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("word", ["version", "--version"])
def test_manage_names_the_dashboards_version_and_djangos_even_where_settings_are_wrong(word: str) -> None:
    for secret_key in ("as-it-should-be-" * 4, ""):
        shown = manage(word, secret_key=secret_key)
        assert shown.startswith(f"Quantum Trader Dashboard {__version__} (Django {django.get_version()}, ")
        assert shown.count("\n") == 1


@pytest.mark.parametrize("command", ["serve", "publish_metrics", "check_stream"])
def test_our_commands_name_the_dashboards_version(command: str) -> None:
    assert manage(command, "--version") == f"{__version__}\n"


def test_djangos_commands_name_its_own() -> None:
    assert manage("migrate", "--version") == f"{django.get_version()}\n"


def test_settings_and_the_projects_metadata_take_it_from_the_same_place() -> None:
    project = tomllib.loads((Path(ROOT) / "pyproject.toml").read_text())
    assert __version__ == settings.VERSION
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "quantum_dashboard.__version__"}


def test_the_changelog_tells_what_this_version_brought() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (Path(ROOT) / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1] == __version__


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("path", "shown"), [("/", f"Version {__version__}"), ("/stream/health", f'"{__version__}"')])
def test_the_page_and_health_show_it(path: str, shown: str) -> None:
    response = async_to_sync(RuntimeClient(Runtime()).get)(path)
    assert shown in response.content.decode()
