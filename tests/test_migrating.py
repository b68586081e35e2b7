"""`manage.py migrate`, of several at once: a deployment of several machines runs it on each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgresql import Postgresql
from tests.processes import ROOT, Server

#: Processes that have everything imported when they begin, so that they really begin at once.
FOUR = """
import os
from django.core.management import call_command

def migrate():
    call_command("migrate", verbosity=0)
    os._exit(0)

children = []
for _ in range(4):
    if (child := os.fork()) == 0:
        migrate()
    children.append(child)
print([os.waitpid(child, 0)[1] for child in children])
call_command("migrate", check_unapplied=True, verbosity=0)
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_four_that_migrate_an_empty_database_at_once_all_succeed(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    environment = {**os.environ, **Server(tmp_path).environment}
    if kind == "postgresql":
        database: Postgresql = request.getfixturevalue("postgresql_server")
        environment["DATABASE_URL"] = database.start().url
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", FOUR],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "[0, 0, 0, 0]", done.stderr[-3000:]
    assert done.returncode == 0  # nothing is left to do


def test_a_database_that_is_away_is_a_message(tmp_path: Path) -> None:
    environment = {**os.environ, **Server(tmp_path, DATABASE_URL="postgres://me@127.0.0.1:1/it").environment}
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "cannot be migrated" in done.stderr
    assert "start PostgreSQL" in done.stderr
    assert "Traceback" not in done.stderr
