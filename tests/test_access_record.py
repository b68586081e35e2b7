"""The record: what is written into it, and what is not; tokens in the admin."""

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from access import record
from access.models import RecordEntry
from access.models.record_entry import Event
from tests.admin_session import AdminSession
from tests.conftest import end
from tests.processes import MEASURED, PASSWORD, Server, wait_until

Entry = tuple[str, str, str, str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("record")
    shutil.copy(prepared_database, folder)
    process = Server(folder, **MEASURED, ACCESS="login", AUDIT_LOG=str(folder / "audit.jsonl")).start()
    yield process
    end(process)


def read_record(server: Server) -> list[Entry]:
    """Who, what, about and address, oldest first."""
    path = server.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=10)) as database:
        return database.execute("SELECT who, what, about, address FROM access_recordentry ORDER BY id").fetchall()


def find(server: Server, who: str, what: str, about: str = "") -> Entry:
    """Wait for an entry whose `about` matches the regular expression."""

    def look() -> Entry | None:
        found = [each for each in read_record(server) if each[:2] == (who, what) and re.search(about, each[2])]
        return found[-1] if found else None

    return wait_until(look, what=f"{who} {what} {about} in the record")


def make_token(session: AdminSession, **fields: object) -> str:
    session.get("/admin/access/accesstoken/add/")
    status, page = session.post("/admin/access/accesstoken/add/", **fields)
    assert status == 200, page
    token = re.search(r'value="(qtd_[\w-]+)"', page)
    assert token, page
    return token[1]


def test_logins_and_failures_are_told_without_what_may_be_a_password(server: Server) -> None:
    AdminSession(server)
    assert find(server, "admin", "logged in")[3] == "127.0.0.1"
    for name in ("admin", "hunter2-typed-into-the-wrong-field"):
        with pytest.raises(AssertionError):
            AdminSession(server, name, "wrong")
    find(server, "admin", "login failed")
    find(server, "", "login failed", "no such user")
    assert "hunter2" not in str(read_record(server)) + server.output


def test_a_token_is_made_shown_once_used_and_revoked_in_the_admin(server: Server) -> None:
    session = AdminSession(server)
    token = make_token(session, name="the wall", owner=1, scopes=["stream", "history"])
    bearer = {"Authorization": f"Bearer {token}"}
    assert server.get("/stream/history", **bearer)[0] == 200
    assert token not in session.get("/admin/access/accesstoken/")[1]
    assert token[:10] in session.page
    number = re.search(r'name="_selected_action" value="(\d+)"', session.page)
    assert number
    fields = {"action": "revoke", "_selected_action": number[1]}
    assert "1 revoked" in session.post("/admin/access/accesstoken/", **fields)[1]
    assert server.get("/stream/history", **bearer)[0] == 401
    find(server, "admin", "token made", "the wall .*history, stream")
    find(server, "admin", "token revoked", "the wall")
    record = session.get("/admin/access/recordentry/")[1]
    assert "the wall" in record
    assert token not in record
    assert token not in str(read_record(server))


def test_a_change_in_the_admin_is_told_and_outlives_its_user(server: Server) -> None:
    session = AdminSession(server)
    session.get("/admin/auth/user/add/")
    session.post("/admin/auth/user/add/", username="leaver", password1=PASSWORD, password2=PASSWORD)
    find(server, "admin", "changed", "added .*user leaver")
    session.click("AI", "redis")
    find(server, "admin", "changed", "AI.*Switched from")
    path = server.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=10)) as database:
        number = database.execute("SELECT id FROM auth_user WHERE username = 'leaver'").fetchone()[0]
    session.get(f"/admin/auth/user/{number}/delete/")
    session.post(f"/admin/auth/user/{number}/delete/", post="yes")
    find(server, "", "changed", "deleted user leaver")
    find(server, "admin", "changed", "added .*user leaver")


def test_what_is_set_and_who_is_in_which_group_is_told(server: Server) -> None:
    session = AdminSession(server)
    session.get("/admin/metrics/datasource/2/change/")
    session.post("/admin/metrics/datasource/2/change/", max_age_s="45", use_fallbacks="on")
    find(server, "admin", "changed", "AI.*[Mm]ax")
    session.get("/admin/auth/user/add/")
    session.post("/admin/auth/user/add/", username="riser", password1=PASSWORD, password2=PASSWORD)
    change = session.path
    viewer = re.search(r'<option value="(\d+)"[^>]*>Viewer<', session.get(change)[1])
    assert viewer
    session.post(
        change, username="riser", is_active="on", groups=viewer[1], date_joined_0="2026-01-01", date_joined_1="00:00:00"
    )
    find(server, "", "changed", "user riser is in the groups: Viewer")
    find(server, "admin", "changed", "riser.*Groups")


def test_nothing_is_deleted_past_the_record(server: Server) -> None:
    """Of several that are deleted at once Django notes none in a way that others hear."""
    session = AdminSession(server)
    for path in ("auth/user/", "auth/group/", "metrics/note/", "access/sharelink/", "access/accesstoken/"):
        assert "delete_selected" not in session.get(f"/admin/{path}")[1]


def test_an_export_is_told_with_who_and_what(server: Server) -> None:
    token = make_token(AdminSession(server), name="exporter", owner=1, scopes=["history"])
    assert server.get("/stream/history?format=csv", Authorization=f"Bearer {token}")[0] == 200
    find(server, "token exporter", "exported", r"history as CSV, \d{8}T\d{6}Z to")


def test_nobody_changes_the_record(server: Server) -> None:
    session = AdminSession(server)
    assert session.get("/admin/access/recordentry/add/")[0] == 403
    session.get("/admin/access/recordentry/1/change/")
    assert session.post("/admin/access/recordentry/1/change/", who="x")[0] == 403
    assert session.post("/admin/access/recordentry/1/delete/", post="yes")[0] == 403


def test_each_line_goes_to_the_audit_log_as_json_too(server: Server) -> None:
    AdminSession(server)
    lines = [json.loads(line) for line in Path(server.environment["AUDIT_LOG"]).read_text().splitlines()]
    assert {"time", "who", "what", "about", "address"} == set(lines[-1])
    assert [(line["who"], line["what"]) for line in lines][-1] == ("admin", "logged in")


@pytest.mark.django_db
def test_what_is_too_old_is_deleted_a_little_at_a_time(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.AUDIT_RETENTION = timedelta(days=1)
    monkeypatch.setattr(record, "_next_prune", [0.0])
    then = timezone.now() - timedelta(days=2)
    RecordEntry.objects.bulk_create(RecordEntry(time=then, what=Event.CHANGED) for _ in range(450))
    for left in (251, 52, 3, 4):  # with the new ones
        record.note(Event.CHANGED, "ada")
        assert RecordEntry.objects.count() == left
