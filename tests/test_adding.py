"""A metric and a group are one declaration each: a copy of the project gets both, on a database that holds rows."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.admin_session import AdminSession
from tests.conftest import end
from tests.processes import Server, wait_until
from tests.releases import copy_project

GROUP = '    ORDERS = "orders", "Orders", 0\n'
METRICS = (
    '    Metric("drawdown", Group.PORTFOLIO, "Drawdown", float, "ratio", ("portfolio:drawdown",), 0.1, 0, 1, 3),\n'
    '    Metric("fills", Group.ORDERS, "Fills today", int, "", ("orders:fills",), 5, 0, typical=30, wander=5),\n'
)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A server of a copy of the project; not started."""
    server = Server(tmp_path, "daphne", DEBUG="true")
    server.project = copy_project(tmp_path / "project")
    return server


def manage(server: Server, *words: str) -> str:
    """What a command of the copy says; it must succeed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=server.project,
        env={**os.environ, **server.environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def declare(server: Server) -> None:
    """Add the group after the last one, and both metrics after the last one."""
    groups, catalogue = (server.project / "metrics" / name for name in ("group.py", "catalogue.py"))
    text, count = re.subn(r'(    PORTFOLIO = "portfolio".*\n)', rf"\1{GROUP}", groups.read_text())
    assert count == 1
    groups.write_text(text)
    start, rest = catalogue.read_text().split("\n)\n\nMETRICS", 1)
    catalogue.write_text(f"{start}\n{METRICS})\n\nMETRICS{rest}")


def test_one_declaration_and_a_generated_migration_add_a_group_and_metrics(server: Server) -> None:
    server.start()
    try:
        old = server.receive(5)
        wait_until(lambda: old[-1]["datetime"] in server.get("/stream/history?format=csv")[1])
        AdminSession(server).click("AI", "redis")
    finally:
        end(server)

    declare(server)
    manage(server, "makemigrations", "metrics", "-n", "orders", "-v0")
    assert "No changes" in manage(server, "makemigrations", "--check", "--dry-run")
    manage(server, "migrate", "-v0")
    server.start()
    try:
        check_messages(server, old)
        check_admin(server)
        check_history(server, old)
        check_page(server)
        for address in (server.stream, f"{server.stream}?since={old[0]['id']}"):
            said = manage(server, "check_stream", address, "--messages", "3")
            assert "3 messages, contract kept" in said
            assert len(re.findall(r"drawdown (?:\d\.\d+|— \(missing\))  fills (?:\d+|— \(missing\))", said)) == 3
    finally:
        end(server)
    assert "Traceback" not in server.output


def check_messages(server: Server, old: list[dict[str, object]]) -> None:
    """Live ones have the new keys in their places; those from before say `missing`, and have no source."""
    assert server.health()["status"] in {"ok", "degraded", "down"}  # the newest snapshot may be one from before
    (first,) = server.receive(1, f"?since={old[0]['id']}")
    with server.connect() as connection:
        messages = (json.loads(connection.recv(timeout=20)) for _ in range(100))
        live = next(message for message in messages if "orders" in message["sources"])
    assert first["timestamp"] == old[1]["timestamp"]
    for message in (first, live):
        assert list(message)[-8:] == [
            "drawdown",
            "fills",
            "id",
            "previous",
            "interval",
            "sources",
            "problems",
            "observed",
        ]
    assert (first["drawdown"], first["fills"]) == (None, None)
    assert {"drawdown": "missing", "fills": "missing"}.items() <= first["problems"].items()
    assert list(first["sources"]) == ["system", "ai", "portfolio"]
    assert live["sources"] == {"system": "host", "ai": "redis", "portfolio": "mock", "orders": "mock"}
    assert 0 <= live["drawdown"] <= 1
    assert isinstance(live["fills"], int)


def check_admin(server: Server) -> None:
    """The group has a row with its buttons, which switch; history has columns of the metrics."""
    admin = AdminSession(server)
    row = admin.rows()["Orders"]
    assert row["source"].startswith("Simulated")
    assert re.search(r"Fills today: \d+", row["reads_now"])
    admin.click("Orders", "redis")
    wait_until(lambda: server.receive(1)[0]["sources"]["orders"] == "redis")
    admin.click("Orders", "mock")
    wait_until(lambda: read_csv(server)[-1]["source_orders"] == "mock")
    _, page = admin.get("/admin/metrics/snapshotrecord/?source_orders=mock")
    assert "Fills today" in page
    assert re.search(r"System / AI / Portfolio / Orders", page)
    assert re.search(r"/ mock</td>", page)
    assert admin.get("/admin/metrics/snapshotrecord/")[0] == 200


def read_csv(server: Server) -> list[dict[str, str]]:
    """History's lines of the last hour, oldest first."""
    return list(csv.DictReader(io.StringIO(server.get("/stream/history?format=csv")[1])))


def check_history(server: Server, old: list[dict[str, object]]) -> None:
    """CSV and JSON have the columns; rows from before are empty there."""
    rows = read_csv(server)
    assert (rows[0]["fills"], rows[0]["drawdown"], rows[0]["source_orders"]) == ("", "", "")
    assert rows[0]["datetime"] <= str(old[1]["datetime"])
    assert rows[-1]["fills"]
    assert rows[-1]["source_orders"] == "mock"
    summed_up = json.loads(server.get(f"/stream/history?step=0.2&from={old[0]['timestamp']}")[1])["rows"]
    assert all("fills" in row for row in summed_up)
    assert any(row["fills"]["mean"] is not None for row in summed_up if row["sources"].get("orders") == ["mock"])


def check_page(server: Server) -> None:
    """The group's section comes where its place is, with its cards; the table has the columns."""
    status, page = server.get("/")
    assert status == 200
    assert re.findall(r'data-group="(\w+)"', page) == ["orders", "portfolio", "ai", "system"]
    section = page.split('data-group="orders"')[1].split("</section>")[0]
    assert re.findall(r'class="card[^>]*data-metric="(\w+)"', section) == ["fills"]
    assert re.findall(r'<th scope="col" data-metric="(fills|drawdown)"', page) == ["fills", "drawdown"]
