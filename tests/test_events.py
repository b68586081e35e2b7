"""Who switched, and staff's notes, over HTTP."""

import json
import re
import shutil
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from metrics.models import Note, SourceSwitch
from streaming.web.events_view import MOST_EVENTS, parse_range, read_events
from streaming.web.history_query import BadQueryError
from tests.admin_session import LIST, AdminSession
from tests.conftest import end
from tests.processes import Server

START = 1_735_174_400
NOTES = "/admin/metrics/note/"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("events")
    shutil.copy(prepared_database, folder)
    server = Server(folder).start()
    yield server
    end(server)


def events_of(server: Server, query: str = "") -> list[dict[str, Any]]:
    status, body = server.get(f"/stream/events{query}")
    assert status == 200, body
    return json.loads(body)["events"]  # type: ignore[no-any-return]


def test_a_switch_and_a_note_are_events_with_who_and_when(server: Server) -> None:
    admin = AdminSession(server)
    admin.click("AI", "redis")
    admin.get(f"{LIST}2/change/")
    admin.post(f"{LIST}2/change/", max_age_s="45", use_fallbacks="on")
    admin.get(f"{NOTES}add/")
    status, page = admin.post(f"{NOTES}add/", text="deployed 1.4", time="2024-12-26T00:54:20")
    assert status == 200
    assert "was added successfully" in page
    switch, age, fallbacks = events_of(server)
    assert abs(switch["time"] - datetime.now(UTC).timestamp()) < 60
    assert {**switch, "time": 0} == {"time": 0, "kind": "switch", "group": "ai", "by": "admin", "text": "mock -> redis"}
    assert {age["text"], fallbacks["text"]} == {"maximum age 30 s -> 45 s", "fallbacks off -> on"}
    assert events_of(server, "?from=2024-12-26T00:54:20Z&to=2024-12-26T00:54:21Z") == [
        {"time": 1735174460.0, "kind": "note", "group": None, "by": "admin", "text": "deployed 1.4"}
    ]
    assert events_of(server, "?from=2024-12-26T00:54:21Z&to=2024-12-26T00:54:22Z") == []
    history = json.loads(server.get("/stream/history?points=10")[1])
    assert [event["to"] for event in history["events"]] == ["redis"]  # history tells switches of sources only


def test_a_note_keeps_its_writer_and_offers_now_as_its_time(server: Server) -> None:
    admin = AdminSession(server)
    _, page = admin.get(f"{NOTES}add/")
    offered = re.search(r'name="time"\s+value="([^"]+)"', page)
    assert offered
    age_s = datetime.now(UTC) - datetime.fromisoformat(offered[1] + "+00:00")
    assert abs(age_s.total_seconds()) < 60
    assert 'name="by"' not in page
    _, page = admin.post(f"{NOTES}add/", text="", time=offered[1])
    assert "This field is required." in page


def test_an_answer_that_has_not_changed_is_not_sent_again(server: Server) -> None:
    address = "/stream/events?from=0&to=2"
    with urllib.request.urlopen(server.url + address, timeout=10) as response:
        etag = response.headers["ETag"]
        assert response.headers["Cache-Control"] == "no-cache"
    assert server.get(address, **{"If-None-Match": etag})[0] == 304


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("?from=5&to=5", "must be before"),
        ("?from=yesterday", "it must be Unix seconds"),
        ("?to=1e15", "not a time between 1970 and 3000"),
        ("?step=5", "Unknown parameter 'step'; there are from, to."),
    ],
)
def test_a_mistake_is_told(server: Server, query: str, why: str) -> None:
    status, body = server.get(f"/stream/events{query}")
    assert status == 400
    assert why in json.loads(body)["error"]


def test_the_last_hour_is_the_default() -> None:
    start, end = parse_range({})
    assert end - start == 3600
    assert parse_range({"to": "50"}) == (0, 50)
    with pytest.raises(BadQueryError):
        parse_range({"from": "3e10", "to": "1"})


@pytest.mark.django_db
def test_of_too_many_events_the_newest_are_told_and_that_there_are_more() -> None:
    SourceSwitch.objects.bulk_create(
        SourceSwitch(time_ms=(START + number) * 1000, group="ai", from_kind="mock", to_kind="redis", by="ada")
        for number in range(MOST_EVENTS)
    )
    assert len(read_events(START, START + 10_000)) == MOST_EVENTS
    Note.objects.create(time=datetime.fromtimestamp(START + 5000, UTC), text="deployed 1.4", by="ada")
    found = read_events(START, START + 10_000)
    assert len(found) == MOST_EVENTS + 1
    assert found[-1]["text"] == "deployed 1.4"
    assert found == sorted(found, key=lambda event: event["time"])
