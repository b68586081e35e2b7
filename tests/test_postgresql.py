"""PostgreSQL, by DATABASE_URL alone, on a real server."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.admin_session import AdminSession
from tests.conftest import StartServer
from tests.processes import free_port, need, wait_until
from tests.test_resume import assert_chain


@pytest.fixture
def postgresql() -> Iterator[str]:
    """The DATABASE_URL of a PostgreSQL of this test's own."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    programs = Path(need(found[-1] if found else "/usr/lib/postgresql/initdb", "PostgreSQL")).parent
    folder = Path(tempfile.mkdtemp())  # not in pytest's: another user must be able to get there
    port = free_port()
    as_owner = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres")
        as_owner = ["runuser", "-u", "postgres", "--"]
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"

    def run(*words: str) -> None:
        subprocess.run([*as_owner, *words], check=True, capture_output=True, timeout=60, cwd=folder)

    run(str(programs / "initdb"), "-D", f"{folder}/data", "-A", "trust", "-E", "UTF8", "-U", "quantum")
    control = [str(programs / "pg_ctl"), "-D", f"{folder}/data"]
    run(*control, "-o", options, "-l", f"{folder}/log", "-w", "start")
    yield f"postgres://quantum@127.0.0.1:{port}/postgres"
    run(*control, "-m", "immediate", "-w", "stop")
    shutil.rmtree(folder, ignore_errors=True)


def test_everything_works_on_postgresql_by_its_url_alone(postgresql: str, start_server: StartServer) -> None:
    server = start_server(DATABASE_URL=postgresql)
    before = server.receive(6)
    admin = AdminSession(server)
    admin.click("Portfolio", "redis")
    wait_until(lambda: server.receive(1)[0]["sources"]["portfolio"] == "redis")
    admin.click("Portfolio", "mock")
    summary = server.get("/stream/history?step=1")[1]
    assert '"rows":[{' in summary
    assert '"from":"mock","to":"redis","by":"admin"' in summary
    for query in ("", "?q=unreachable", "?problem=any", "?source_ai=mock"):
        assert admin.get(f"/admin/metrics/snapshotrecord/{query}")[0] == 200
    wait_until(lambda: server.health()["status"] == "ok")
    server.kill()
    again = start_server("uvicorn", DATABASE_URL=postgresql)
    assert_chain(again.receive(12, f"?since={before[0]['timestamp']}"))
