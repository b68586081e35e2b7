"""deploy/Dockerfile, compose.yaml and make-secrets, as far as no container engine is needed."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.processes import ROOT, Server
from tests.test_layout import APPS

DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    for _ in range(2):
        done = subprocess.run([DEPLOY / "make-secrets", folder], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == ""  # the second time nothing was written
    return folder


def seconds(text: str) -> int:
    match = re.fullmatch(r"(\d+)s", text)
    assert match, text
    return int(match[1])


def test_the_image_has_all_code_and_nothing_that_is_secret() -> None:
    taken = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {app for app in APPS if (ROOT / app).exists()} <= taken
    assert {"manage.py", "static", "templates", "requirements.lock"} <= taken
    assert not {name for name in taken if name.startswith(".")}
    assert "--require-hashes" in (DEPLOY / "Dockerfile").read_text()


def test_every_secret_that_is_named_is_made_and_only_the_folder_keeps_it(
    compose: dict[str, Any], secrets: Path
) -> None:
    declared = {Path(secret["file"]).name for secret in compose["secrets"].values()}
    used = {name for service in compose["services"].values() for name in service.get("secrets", [])}
    assert declared == used == {file.name for file in secrets.iterdir()}
    assert secrets.stat().st_mode & 0o777 == 0o700
    texts = [file.read_text() for file in secrets.iterdir()]
    assert len(set(texts)) == len(texts)
    password = (secrets / "postgres-password").read_text()
    assert f":{password}@postgres:" in (secrets / "database-url").read_text()
    assert len((secrets / "secret-key").read_text()) >= 40
    for name, service in compose["services"].items():
        for secret in (value for value in service.get("environment", {}).values() if "/run/secrets" in str(value)):
            assert Path(secret).name in service["secrets"], name


def test_whoever_is_needed_is_waited_for_until_it_is_healthy(compose: dict[str, Any]) -> None:
    services = compose["services"]
    waits = {name: set(service.get("depends_on", {})) for name, service in services.items()}
    assert waits == {"redis": set(), "postgres": set(), "dashboard": {"redis", "postgres"}, "nginx": {"dashboard"}}
    for service in services.values():
        for needed, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            own = "healthcheck" in services[needed]
            assert own or "HEALTHCHECK" in (DEPLOY / "Dockerfile").read_text()


def test_a_server_that_is_stopped_has_time_to_send_its_clients_away(compose: dict[str, Any], settings: Any) -> None:
    from streaming.ending import LAST_S

    assert seconds(compose["services"]["dashboard"]["stop_grace_period"]) > settings.STREAM_DRAIN + 3 + LAST_S


def test_the_settings_of_the_image_and_of_compose_start_the_dashboard(
    compose: dict[str, Any], secrets: Path, tmp_path: Path
) -> None:
    """With the secrets that were made, and everything of the dashboard's image and service in the environment."""
    environment = {**os.environ}
    for name in Server(tmp_path).environment:
        environment.pop(name, None)
    block = re.search(r"^ENV (.*?[^\\])\n", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    environment |= dict(part.split("=", 1) for part in block[1].replace("\\\n", " ").split())
    for name, value in compose["services"]["dashboard"]["environment"].items():
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", re.sub(r"\$\{\w+:\+[^}]*\}", "", value))
        environment[name] = text.replace("/run/secrets", str(secrets))
    code = (
        "from django.conf import settings as s; print(s.DATABASES['default']['HOST'], s.REDIS_URL, s.STREAM_JOURNAL, "
        "s.FIRST_PASSWORD, s.METRICS_REDIS_URL == s.REDIS_URL, s.HTTPS)"
    )
    words = [sys.executable, "manage.py", "shell", "-v0", "-c", code]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    redis = (secrets / "redis-url").read_text().strip()
    first = (secrets / "first-password").read_text()
    assert done.stdout.split() == ["postgres", redis, "/data/unstored", first, "True", "False"], done.stderr
