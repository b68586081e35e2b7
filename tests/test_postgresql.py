"""PostgreSQL, by DATABASE_URL alone, on a real server."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from tests.admin_session import LIST, AdminSession
from tests.conftest import StartServer
from tests.filled_history import fill_history
from tests.processes import free_port, need, wait_until
from tests.test_resume import assert_chain
from tests.test_slow_readers import stuck_reader


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


def test_the_form_leaves_a_switch_that_another_transaction_was_just_making(
    postgresql: str, start_server: StartServer
) -> None:
    """The form has read the row and waits to write it until the other transaction, which switched it, has ended."""
    admin = AdminSession(start_server(DATABASE_URL=postgresql))
    admin.get(f"{LIST}2/change/")
    with (
        psycopg.connect(postgresql, autocommit=True) as watching,
        psycopg.connect(postgresql) as switching,
        ThreadPoolExecutor(1) as somebody,
    ):
        switching.execute("UPDATE metrics_datasource SET kind = 'redis' WHERE id = 2")
        answer = somebody.submit(admin.post, f"{LIST}2/change/", max_age_s="45")
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE%'"
        wait_until(lambda: (watching.execute(waits).fetchone() or (0,))[0] == 1, what="the form waits for the row")
        switching.commit()
        assert answer.result(20)[0] == 200
        row = watching.execute("SELECT kind, max_age_s FROM metrics_datasource WHERE id = 2").fetchone()
    assert row == ("redis", 45.0)
    assert "maximum age from 30.0 to 45.0" in admin.log().lower()


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
    assert_chain(again.receive(12, f"?since={before[0]['id']}"))


@pytest.mark.parametrize("is_summary", [False, True])
def test_no_connection_is_held_for_a_reader_that_is_stuck(
    postgresql: str, start_server: StartServer, is_summary: bool
) -> None:
    settings = {"DATABASE_URL": postgresql, "STREAM_PUBLISHER": "false", "HISTORY_EXPORTS": "1"}
    server = start_server("uvicorn", **settings)
    fill_history(server.environment)
    with psycopg.connect(postgresql, autocommit=True) as asking:

        def ask(sql: LiteralString) -> Any:
            return (asking.execute(sql).fetchone() or [None])[0]

        newest = ask("SELECT max(time_ms) FROM metrics_snapshotrecord") / 1000
        summary = f"/stream/history?from={newest - 199}&to={newest}&step=0.04"
        with stuck_reader(server, summary if is_summary else "/stream/history?from=0"):
            others = "SELECT count(*) FROM pg_stat_activity WHERE client_addr IS NOT NULL AND pid <> pg_backend_pid()"
            wait_until(lambda: ask(others) == 0, what="no connection but the one that asks")
            assert server.get("/stream/history?from=0")[0] == 503  # the reader is not through
