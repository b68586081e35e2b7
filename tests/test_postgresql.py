"""PostgreSQL, by DATABASE_URL alone, on a real server."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString

import psycopg
import pytest

from tests.admin_session import LIST, AdminSession
from tests.conftest import StartServer
from tests.filled_history import fill_history
from tests.people_at_work import run_in_shell
from tests.postgresql import Postgresql
from tests.processes import wait_until
from tests.test_database_failures import Witness
from tests.test_resume import assert_chain
from tests.test_slow_readers import stuck_reader


@pytest.fixture
def postgresql(postgresql_server: Postgresql) -> str:
    """The DATABASE_URL of a PostgreSQL of this test's own."""
    return postgresql_server.start().url


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


#: Two writers of one history: the first, of the newer term, is about to commit when the second comes.
TWO_WRITERS = """
import threading, time
from django.db import connection, transaction
from metrics.catalogue import Group
from metrics.choices import DEFAULT_CHOICES
from metrics.history import store
from metrics.models import SnapshotRecord
from metrics.reading import Problem, Reading
from metrics.snapshot import compose_snapshot

readings = {group: Reading.failed(group, Problem.MISSING) for group in Group}
compose = lambda id, previous: compose_snapshot(
    DEFAULT_CHOICES, readings, id=id, previous=previous, timestamp=id / 1000, interval=1.0)
has_lock, refused = threading.Event(), []
waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

def write_first():
    with transaction.atomic(), connection.cursor() as cursor:
        store.lock_and_find_newest()
        has_lock.set()
        is_awaited = False
        while not is_awaited:
            time.sleep(0.01)
            cursor.execute(waits)
            is_awaited = cursor.fetchone()[0] == 1

        store.insert([SnapshotRecord.columns_of(compose(1700000001000, None), 2)])
    connection.close()

first = threading.Thread(target=write_first)
first.start()
has_lock.wait(20)
refused = store.write([(compose(1700000002000, 1700000000000), 1)])
first.join(20)
print(len(refused), list(SnapshotRecord.objects.values_list("id", "term")))
"""


def test_a_writer_that_waited_for_another_sees_what_that_has_written(
    postgresql: str, start_server: StartServer
) -> None:
    server = start_server(DATABASE_URL=postgresql, STREAM_PUBLISHER="false")
    assert run_in_shell(server, TWO_WRITERS) == "1 [(1700000001000, 2)]"


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
    span = f"from={before[0]['timestamp']}&to={before[-1]['timestamp']}"
    kept = json.loads(server.get(f"/stream/history?{span}")[1])["snapshots"]
    assert [message["id"] for message in kept] == [message["id"] for message in before[:-1]]
    assert len(server.get(f"/stream/history?{span}&format=csv")[1].splitlines()) == len(before)
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
        others = "SELECT count(*) FROM pg_stat_activity WHERE client_addr IS NOT NULL AND pid <> pg_backend_pid()"
        kept = ask(others)  # by the threads that ask again and again
        with stuck_reader(server, summary if is_summary else "/stream/history?from=0"):
            wait_until(lambda: ask(others) <= kept, what="no connection but those that are kept")
            assert server.get("/stream/history?from=0")[0] == 503  # the reader is not through


def test_connections_that_are_ended_and_a_restart_cost_nothing(
    postgresql_server: Postgresql, start_server: StartServer
) -> None:
    url = postgresql_server.start().url
    server = start_server("uvicorn", DATABASE_URL=url)
    witness = Witness(server)
    witness.read(5)
    with psycopg.connect(url, autocommit=True) as asking:
        for _ in range(5):
            asking.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            witness.read(2)
    postgresql_server.stop()
    wait_until(lambda: witness.read(1) or any("start PostgreSQL" in reason for reason in server.health()["reasons"]))
    witness.read(5)
    postgresql_server.start()
    wait_until(lambda: witness.read(1) or server.health()["status"] == "ok")

    def stored() -> set[int]:
        with psycopg.connect(url) as asking:
            return {row[0] for row in asking.execute("SELECT id FROM metrics_snapshotrecord").fetchall()}

    wait_until(lambda: {*witness.ids} <= stored())
    report = server.health()["history"]
    assert (report["given_up"], report["refused"]) == (0, 0)


def test_the_threads_keep_their_connections(postgresql: str, start_server: StartServer) -> None:
    """As many sessions as there are threads, the same ones: not two new ones for each snapshot."""
    server = start_server("uvicorn", DATABASE_URL=postgresql, STREAM_INTERVAL="0.05")
    with psycopg.connect(postgresql, autocommit=True) as asking:

        def sessions() -> set[int]:
            found = asking.execute(
                "SELECT pid FROM pg_stat_activity WHERE client_addr IS NOT NULL AND pid <> pg_backend_pid()"
            )
            return {row[0] for row in found.fetchall()}

        server.receive(10)
        before = sessions()
        server.receive(40)
        assert sessions() == before
        assert len(before) <= 4
