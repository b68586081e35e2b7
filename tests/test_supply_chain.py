"""What is installed is what was locked: exact versions, with the hashes of their files; and `make audit` tells no good
news that it does not have.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.processes import ROOT

#: What is wanted, and where it is locked.
LOCKS = {
    "requirements.txt": "requirements.lock",
    "requirements-dev.txt": "requirements-dev.lock",
    "benchmarks/requirements.txt": "benchmarks/requirements.lock",
    "requirements-audit.txt": "requirements-audit.lock",
}


def normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(lock: str) -> dict[str, tuple[str, int]]:
    """Each package's version for this machine's Python and the number of its hashes."""
    parts = re.split(r"^(?=[a-z0-9])", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]
    found = {}
    for part in parts:
        name, version = re.match(r"([\w.-]+)==(\S+)", part).groups()  # type: ignore[union-attr]
        found[normalise(name)] = version, part.count("--hash=sha256:")
    return found


@pytest.mark.parametrize(("wanted", "lock"), LOCKS.items())
def test_everything_that_is_wanted_is_locked_with_hashes(wanted: str, lock: str) -> None:
    lines = (line.partition("#")[0].strip() for line in (ROOT / wanted).read_text().splitlines())
    names = {normalise(re.split(r"[\[~<>=;]", line)[0]) for line in lines if line and not line.startswith("-")}
    locked = read_lock(lock)
    assert names <= set(locked), "make lock"
    assert all(hashes for _, hashes in locked.values())
    assert "://" not in (ROOT / lock).read_text()


def test_the_locks_agree() -> None:
    base = read_lock("requirements.lock")
    assert {"pip", "setuptools", "django"} <= set(base)
    for lock in ("requirements-dev.lock", "benchmarks/requirements.lock"):
        found = read_lock(lock)
        assert {name: found[name][0] for name in found.keys() & base.keys()} == {
            name: base[name][0] for name in found.keys() & base.keys()
        }


def test_what_make_installs_is_checked_against_the_locks() -> None:
    makefile = (ROOT / "Makefile").read_text()
    installs = [line for line in makefile.splitlines() if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line for line in installs)


CLEAN = "echo 'No known vulnerabilities found'"
KNOWN = "echo 'Found 1 known vulnerability in 1 package'; exit 1"
SKIPPED = f"{CLEAN}; echo 'django  Dependency not found on PyPI and could not be audited: django (5.2)'"
AWAY = "echo 'ConnectionError' >&2; exit 1"


@pytest.mark.parametrize(
    ("pip_audit", "npm", "code", "is_known"),
    [
        (CLEAN, "echo 'found 0 vulnerabilities'", 0, True),
        (KNOWN, "echo 'found 0 vulnerabilities'", 1, True),
        (CLEAN, "echo 'Severity: high'; exit 1", 1, True),
        (SKIPPED, "echo 'found 0 vulnerabilities'", 2, False),
        (AWAY, "echo 'found 0 vulnerabilities'", 2, False),
        (CLEAN, "echo 'npm error audit endpoint returned an error'; exit 1", 2, False),
        (KNOWN, "exit 1", 1, False),
    ],
)
def test_an_audit_that_could_not_ask_says_so(
    tmp_path: Path, pip_audit: str, npm: str, code: int, is_known: bool
) -> None:
    shutil.copy(ROOT / ".ci" / "audit", tmp_path)
    tools = tmp_path / "build" / "audit" / "bin"
    tools.mkdir(parents=True)
    for name, does in (("pip-audit", pip_audit), ("npm", npm)):
        (tools / name).write_text(f"#!/bin/sh\n{does}\n")
        (tools / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["./audit"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stdout
    assert ("NOT KNOWN" not in done.stdout) is is_known
