"""deploy/deploy_dashboard_vps.sh, as far as is quick; `make deploy-test` runs all of it on a Debian of its own."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.processes import ROOT, need

SCRIPT = ROOT / "deploy" / "deploy_dashboard_vps.sh"
#: What it would change, this machine being a server.
PLACES = [
    *map(Path, ("/opt/quantum-dashboard", "/opt/quantum-dashboard/releases", "/var/lib/quantum-dashboard")),
    *map(Path, ("/etc/quantum-dashboard", "/etc/quantum-dashboard/environment", "/usr/local/bin/quantum-dashboard")),
    *map(Path, ("/etc/nginx/conf.d/quantum-dashboard.conf", "/etc/systemd/system/quantum-dashboard.service")),
]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(SCRIPT), *words], capture_output=True, text=True, timeout=60, check=False)


def test_shellcheck_finds_nothing_in_any_script() -> None:
    program = need(shutil.which("shellcheck") or "/usr/bin/shellcheck", "shellcheck")
    scripts = [
        SCRIPT,
        ROOT / "deploy" / "quantum-dashboard",
        ROOT / "deploy" / "make-secrets",
        *(ROOT / ".ci").iterdir(),
    ]
    found = subprocess.run([program, "-x", *map(str, scripts)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("scaled", [False, True])
def test_a_dry_run_prints_all_that_would_be_done_and_does_nothing(scaled: bool) -> None:
    need("/etc/debian_version", "Debian")
    before = [path.exists() and path.stat().st_mtime_ns for path in PLACES]
    done = run("--dry-run", "--domain", "desk.example", *(["--scaled", "--workers", "3"] if scaled else []))
    assert done.returncode == 0, done.stderr
    assert [path.exists() and path.stat().st_mtime_ns for path in PLACES] == before
    expected = [
        "useradd --system",
        "write a random secret into /etc/quantum-dashboard/secrets/secret-key",
        "ALLOWED_HOSTS=desk.example",
        "HTTPS=true",
        *(["REDIS_URL_FILE=", "WORKERS=3", "createdb"] if scaled else ["DATABASE_URL=sqlite:////var/lib"]),
        "--require-hashes -r",
        "collectstatic",
        "migrate",
        "/opt/quantum-dashboard/current",
        "systemctl restart quantum-dashboard",
        "certbot certonly --webroot -w /var/www/html -d desk.example",
        "ssl_certificate     /etc/letsencrypt/live/desk.example/fullchain.pem;",
        "check_from_outside",
    ]
    place = 0
    for words in expected:  # in this order
        assert words in done.stdout[place:], words
        place = done.stdout.index(words, place)
    assert "dashboard.example" not in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--domain"], "--domain needs a value"),
        (["--domain", "a/b"], "is not the name of a host"),
        (["--workers", "many"], "neither a number nor auto"),
        (["--dry-run", "--workers", "2"], "needs --scaled: they share a Redis"),
        (["--fast"], "--fast is not an option"),
    ],
)
def test_what_it_is_not_to_do_is_said(words: list[str], said: str) -> None:
    done = run(*words)
    assert done.returncode == 1
    assert said in done.stderr
