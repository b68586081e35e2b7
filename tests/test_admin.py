"""Staff in the real admin."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models.signals import pre_save
from django.test import Client

from metrics.catalogue import SourceKind
from metrics.models import DataSource
from tests.admin_session import LIST, AdminSession
from tests.conftest import end
from tests.processes import PASSWORD, ROOT, Server, wait_until


@pytest.fixture(scope="module")
def admin_server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("admin")
    shutil.copy(prepared_database, folder)
    server = Server(folder).start()
    yield server
    end(server)


@pytest.fixture
def admin(admin_server: Server) -> AdminSession:
    return AdminSession(admin_server)


def make_viewer(server: Server) -> None:
    """A staff user who may look at sources and at nothing else."""
    code = (
        "from django.contrib.auth.models import Permission, User\n"
        "u, made = User.objects.get_or_create(username='viewer', is_staff=True)\n"
        f"u.set_password('{PASSWORD}'); u.save()\n"
        "u.user_permissions.set(Permission.objects.filter(codename__in=['view_datasource']))"
    )
    environment = {**__import__("os").environ, **server.environment}
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", code], cwd=ROOT, env=environment, check=True, timeout=30
    )


def test_there_is_one_row_per_group_with_the_first_choices(admin: AdminSession) -> None:
    rows = admin.rows()
    assert set(rows) == {"System", "AI", "Portfolio"}
    assert "● This host" in rows["System"]["source"]


def test_the_list_shows_what_each_source_reads_now(admin: AdminSession) -> None:
    admin.click("AI", "mock")
    rows = admin.rows()
    assert re.search(r"CPU:\s+\d+\.\d\d %", rows["System"]["reads_now"])
    assert re.search(r"Accuracy:\s+0\.\d{3} ratio\s+\(simulated\)", rows["AI"]["reads_now"])
    assert re.search(r"\d+\.\d s", rows["Portfolio"]["age"])


def test_one_click_switches_and_is_logged_with_who_and_from_what_to_what(admin: AdminSession) -> None:
    admin.click("Portfolio", "mock")
    status, page = admin.click("Portfolio", "redis")
    assert status == 200
    assert "Switched from Simulated (mock) to Redis." in page
    row = admin.rows()["Portfolio"]
    assert "no answer from redis://127.0.0.1:1/0" in row["answers"]
    assert "— unreachable" in re.sub(r"\s+", " ", row["reads_now"])
    assert re.search(r"admin Switched from Simulated \(mock\) to Redis\.", admin.log())


def test_the_bulk_action_switches_every_selected_row_and_logs_each(admin: AdminSession) -> None:
    logged = admin.log().count("Switched from Redis to Simulated (mock).")
    admin.get(LIST)
    admin.post(LIST, action="switch_to_redis", _selected_action=["1", "2", "3"])
    assert all("● Redis" in row["source"] for row in admin.rows().values())
    admin.get(LIST)
    admin.post(LIST, action="switch_to_mock", _selected_action=["1", "2", "3"])
    assert all("● Simulated" in row["source"] for row in admin.rows().values())
    assert admin.log().count("Switched from Redis to Simulated (mock).") == logged + 3
    admin.click("System", "host")


def test_a_group_that_the_host_cannot_answer_for_is_not_switched_to_it(admin: AdminSession) -> None:
    assert "/switch/host/" not in admin.rows()["AI"]["html"]
    _, page = admin.post(f"{LIST}2/switch/host/")
    assert "AI cannot be read from this host." in page
    _, page = admin.post(f"{LIST}2/switch/nothing/")
    assert "There is no source" in page


def test_age_and_fallbacks_are_changed_in_the_form_and_logged_from_to(admin: AdminSession) -> None:
    change = f"{LIST}1/change/"
    _, page = admin.get(change)
    assert 'name="kind"' not in page
    admin.post(change, max_age_s="45", use_fallbacks="on")
    assert "maximum age from 30.0 to 45.0" in re.sub(r"\s+", " ", admin.log()).lower()
    admin.get(change)
    _, page = admin.post(change, max_age_s="-1")
    assert "greater than or equal to" in page


@pytest.mark.django_db
def test_the_form_leaves_a_switch_that_was_made_while_it_was_being_saved(admin_client: Client) -> None:
    """Somebody else switches between the form's reading of the row and its writing."""
    row = DataSource.objects.get(group="ai")

    def switch(**signal: Any) -> None:
        assert DataSource.objects.get(pk=row.pk).switch(SourceKind.REDIS, by="somebody else")

    pre_save.connect(switch, sender=DataSource)
    try:
        answer = admin_client.post(f"{LIST}{row.pk}/change/", {"max_age_s": "45"})
    finally:
        pre_save.disconnect(switch, sender=DataSource)
    assert answer.status_code == 302
    row.refresh_from_db()
    assert (row.kind, row.max_age_s) == ("redis", 45.0)


@pytest.mark.django_db
def test_a_form_in_which_nothing_was_changed_writes_nothing(admin_client: Client) -> None:
    row = DataSource.objects.get(group="ai")
    written: list[Any] = []

    def note(**signal: Any) -> None:
        written.append(signal)

    pre_save.connect(note, sender=DataSource)
    try:
        shown = {"max_age_s": "30.0", "initial-max_age_s": "30.0", "initial-use_fallbacks": "False"}
        answer = admin_client.post(f"{LIST}{row.pk}/change/", shown)
    finally:
        pre_save.disconnect(note, sender=DataSource)
    assert answer.status_code == 302
    assert written == []


@pytest.mark.django_db
def test_the_form_changes_what_this_person_changed_and_not_what_somebody_else_did(admin_client: Client) -> None:
    """One opens the form; another one, in the meantime, wants fallbacks; the first changes the maximum age only."""
    address = f"{LIST}{DataSource.objects.get(group='ai').pk}/change/"
    page = admin_client.get(address).content.decode()
    hidden = re.findall(r'<input type="hidden" name="(initial-\w+)" value="([^"]*)"', page)
    assert dict(hidden) == {"initial-max_age_s": "30.0", "initial-use_fallbacks": "False"}
    DataSource.objects.filter(group="ai").update(use_fallbacks=True)
    admin_client.post(address, {**dict(hidden), "max_age_s": "45"})
    row = DataSource.objects.get(group="ai")
    assert (row.max_age_s, row.use_fallbacks) == (45.0, True)
    messages = [entry.get_change_message() for entry in LogEntry.objects.filter(object_id=row.pk)]
    assert messages == ["Changed Maximum age from 30.0 to 45.0."]


def test_groups_are_neither_added_nor_deleted(admin: AdminSession) -> None:
    assert admin.get(f"{LIST}add/")[0] == 403
    assert admin.get(f"{LIST}1/delete/")[0] == 403


def test_staff_without_the_permission_look_but_cannot_switch(admin_server: Server) -> None:
    make_viewer(admin_server)
    viewer = AdminSession(admin_server, "viewer")
    rows = viewer.rows()
    assert "CPU" in rows["System"]["reads_now"]
    assert "<button" not in rows["System"]["html"]
    assert viewer.post(f"{LIST}1/switch/mock/")[0] == 403
    assert "● This host" in AdminSession(admin_server).rows()["System"]["source"]


def test_a_switch_needs_a_post_and_a_login(admin_server: Server, admin: AdminSession) -> None:
    assert admin.get(f"{LIST}1/switch/mock/")[0] == 405
    status, page = admin_server.get(f"{LIST}1/switch/mock/")
    assert status == 200
    assert "Sign in" in page


def test_history_can_be_looked_at_searched_and_exported_but_not_changed(
    admin_server: Server, admin: AdminSession
) -> None:
    def keys_at(query: str) -> list[str]:
        status, page = admin.get(address + query)
        assert status == 200
        return re.findall(r'name="_selected_action" value="(\d+)"', page)

    address = "/admin/metrics/snapshotrecord/"
    admin.click("Portfolio", "redis")  # which is not there
    wait_until(lambda: keys_at("?q=unreachable+pnl"))
    admin.click("Portfolio", "mock")
    wait_until(lambda: keys_at("?source_portfolio=mock"))
    keys = wait_until(lambda: keys_at("")[2:] and keys_at(""))
    _, exported = admin.post(address, action="export_csv", _selected_action=keys[:3])
    assert exported.startswith("timestamp,datetime,cpu")
    assert len(exported.splitlines()) == 4
    assert admin.get(f"{address}{keys[0]}/delete/")[0] == 403
    assert 'name="_save"' not in admin.get(f"{address}{keys[0]}/change/")[1]
    for query in ("?q=unreachable", "?q=redis+pnl", "?problem=any", "?range=1h&source_ai=mock"):
        assert keys_at(query)
    for query in ("?q=stale", "?q=2001-01-01", "?problem=stale", "?problem=stale&range=1h", "?source_portfolio=host"):
        assert keys_at(query) == []
    assert admin.get("/admin/metrics/sourceswitch/")[0] == 200


def test_a_switch_is_an_event_of_history(admin_server: Server, admin: AdminSession) -> None:
    admin.click("AI", "redis")
    admin.click("AI", "mock")
    answer = json.loads(admin_server.get("/stream/history?points=10")[1])
    last = answer["events"][-1]
    assert (last["group"], last["from"], last["to"], last["by"]) == ("ai", "redis", "mock", "admin")
