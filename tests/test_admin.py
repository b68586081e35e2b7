"""Staff in the real admin."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models.signals import pre_save
from django.test import Client

from metrics.catalogue import Group, SourceKind, metrics_of
from metrics.models import DataSource
from tests.admin_session import LIST, AdminSession, as_text
from tests.conftest import end
from tests.processes import MEASURED, PASSWORD, Server, run_manage, wait_until


@pytest.fixture(scope="module")
def admin_server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("admin")
    shutil.copy(prepared_database, folder)
    server = Server(folder, **MEASURED).start()
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
    run_manage("shell", "-c", code, **server.environment).check_returncode()


def test_there_is_one_row_per_group_with_the_first_choices(admin: AdminSession) -> None:
    rows = admin.rows()
    assert set(rows) == {"System", "AI", "Portfolio"}
    assert "This host" in rows["System"]["source"]


def test_every_source_of_a_group_is_shown_with_what_it_says(admin: AdminSession) -> None:
    admin.click("Portfolio", "mock")
    wait_until(lambda: "● Published" in admin.rows()["Portfolio"]["source"])
    rows = admin.rows()
    assert re.search(r"CPU: \d+(\.\d+)? %", rows["System"]["reads_now"])
    assert re.search(r"Simulated Redis This host ● Published CPU \S+ % — unreachable \S+ %", rows["System"]["text"])
    assert re.search(r"published \d+\.\d s ago, simulated", rows["Portfolio"]["age"])
    assert "unreachable Redis at redis://127.0.0.1:1/0 does not answer" in rows["Portfolio"]["text"]


def test_what_is_shown_as_published_is_one_snapshot_and_no_other_sample(
    admin_server: Server, admin: AdminSession
) -> None:
    admin.click("Portfolio", "mock")
    wait_until(lambda: "● Published" in admin.rows()["Portfolio"]["source"])
    rows = admin.rows()
    published = json.loads(admin_server.get("/stream/history")[1])["snapshots"]

    def shows(snapshot: dict[str, Any]) -> bool:
        return all(
            f"{metric.label}: {metric.show(snapshot[metric.key], with_unit=True)}" in rows[group.label]["reads_now"]
            for group in (Group.SYSTEM, Group.PORTFOLIO)
            for metric in metrics_of(group)
        )

    assert any(map(shows, published))


def test_a_switch_asks_with_a_preview_and_is_logged_with_who_and_from_what_to_what(admin: AdminSession) -> None:
    admin.click("Portfolio", "mock")
    admin.preview("Portfolio", "redis")
    assert admin.rows()["Portfolio"]["source"].startswith("Simulated")  # asking changes nothing
    admin.preview("Portfolio", "redis")
    text = as_text(admin.page)
    assert "Switch Portfolio to Redis? " in text
    assert re.search(r"Profit and loss [\d,.]+( \w+)? → — unreachable", text)
    assert "5 of 5 values would have a problem." in text
    status, page = admin.click("Portfolio", "redis")
    assert status == 200
    assert "Switched from Simulated (mock) to Redis." in page
    row = admin.rows()["Portfolio"]
    assert row["source"].startswith("Redis")
    assert "— unreachable" in row["reads_now"]
    assert re.search(r"admin Switched from Simulated \(mock\) to Redis\.", admin.log())


def test_the_last_switch_is_taken_back_with_one_click(admin: AdminSession) -> None:
    admin.click("AI", "mock")
    admin.click("AI", "redis")
    admin.get(LIST)
    assert "AI Simulated → Redis, by admin" in as_text(admin.page)
    undo = re.findall(r'action="([^"]+/undo/\d+/)"', admin.page)[0]
    _, page = admin.post(undo)
    assert "AI: Switched back from Redis to Simulated (mock)." in page
    assert admin.rows()["AI"]["source"].startswith("Simulated")
    assert "Switched back from Redis to Simulated (mock)." in admin.log()
    _, page = admin.post(undo)
    assert "somebody switched it since" in page
    assert admin.rows()["AI"]["source"].startswith("Simulated")


def test_what_somebody_else_switched_while_one_looked_at_the_preview_is_left(admin: AdminSession) -> None:
    admin.click("System", "host")
    address = admin.preview("System", "redis")
    shown = dict(re.findall(r'name="(from_\w+)"\s+value="(\w+)"', admin.page))
    assert shown == {"from_system": "host"}
    AdminSession(admin.server).click("System", "mock")
    _, page = admin.post(address, **shown)
    assert "somebody else just did" in page
    assert admin.rows()["System"]["source"].startswith("Simulated")
    admin.click("System", "host")


def test_who_switches_all_after_somebody_else_did_is_told(admin: AdminSession) -> None:
    admin.post(f"{LIST}all/switch/mock/")
    admin.get(f"{LIST}all/switch/redis/")
    shown = dict(re.findall(r'name="(from_\w+)"\s+value="(\w+)"', admin.page))
    assert set(shown.values()) == {"mock"}
    AdminSession(admin.server).post(f"{LIST}all/switch/redis/")
    _, page = admin.post(f"{LIST}all/switch/redis/", **shown)
    assert page.count("somebody else just did") == len(shown)
    admin.click("System", "host")


def test_all_groups_are_switched_at_once_and_each_is_logged(admin: AdminSession) -> None:
    admin.click("AI", "redis")
    admin.click("Portfolio", "mock")
    logged = admin.log().count("to Redis.")
    admin.get(f"{LIST}all/switch/redis/")
    assert "Switch Portfolio and System to Redis?" in as_text(admin.page)
    admin.post(f"{LIST}all/switch/redis/")
    assert all(row["source"].startswith("Redis") for row in admin.rows().values())
    assert admin.log().count("to Redis.") == logged + 2
    admin.post(f"{LIST}all/switch/mock/")
    assert all(row["source"].startswith("Simulated") for row in admin.rows().values())
    admin.click("System", "host")


def test_a_group_that_the_host_cannot_answer_for_is_not_switched_to_it(admin: AdminSession) -> None:
    admin.click("AI", "mock")
    assert "/switch/host/" not in admin.rows()["AI"]["html"]
    for ask in (admin.get, admin.post):
        assert "AI cannot be read from this host." in ask(f"{LIST}2/switch/host/")[1]
        assert "There is no source" in ask(f"{LIST}2/switch/nothing/")[1]
    assert "cannot be read from this host." in admin.post(f"{LIST}all/switch/host/")[1]
    assert admin.rows()["AI"]["source"].startswith("Simulated")


def test_age_and_fallbacks_are_changed_in_the_form_and_logged_from_to(admin: AdminSession) -> None:
    change = f"{LIST}1/change/"
    _, page = admin.get(change)
    assert 'name="kind"' not in page
    assert f'<a href="{LIST}">compare and switch</a>' in page
    admin.post(change, max_age_s="45", use_fallbacks="on")
    assert "maximum age from 30.0 to 45.0" in admin.log().lower()
    switches = as_text(admin.get("/admin/metrics/sourceswitch/")[1])
    assert "system maximum age 30 s → 45 s admin" in switches
    assert "system fallbacks off → on admin" in switches
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
    assert "/switch/" not in viewer.page
    assert "/undo/" not in viewer.page
    assert viewer.get(f"{LIST}1/switch/mock/")[0] == 403
    assert viewer.post(f"{LIST}1/switch/mock/")[0] == 403
    assert viewer.post(f"{LIST}undo/1/")[0] in {403, 404}
    assert AdminSession(admin_server).rows()["System"]["source"].startswith("This host")


def test_a_switch_needs_a_post_and_a_login(admin_server: Server, admin: AdminSession) -> None:
    before = admin.rows()["AI"]["source"]
    assert admin.get(f"{LIST}2/switch/redis/")[0] == 200
    assert admin.get(f"{LIST}undo/1/")[0] == 405
    status, page = admin_server.get(f"{LIST}2/switch/redis/")
    assert status == 200
    assert "Sign in" in page
    assert admin.rows()["AI"]["source"].split()[0] == before.split()[0]


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
