"""History over HTTP: ranges, mistakes, caches."""

import json
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from hypothesis import given
from hypothesis import strategies as st

from metrics.models import SnapshotRecord
from streaming.runtime import runtime
from streaming.web.history_query import MOST_BUCKETS, BadQueryError, parse_query
from streaming.wire import make_frame
from tests.test_history import START, make_snapshot, store

RANGE = f"from={START}&to={START + 100}"


@async_to_sync
async def get(query: str, path: str = "/stream/history", **headers: str) -> Any:
    """GET, with the streamed body read to its end."""
    response: Any = await AsyncClient().get(f"{path}?{query}", headers=headers)
    if response.streaming:
        response.body = b"".join([part async for part in response]).decode()
    else:
        response.body = response.content.decode()
    return response


@pytest.mark.django_db
def test_a_range_includes_its_start_and_excludes_its_end() -> None:
    store(*(make_snapshot(START + 50 * n) for n in range(3)))
    assert [s["timestamp"] for s in json.loads(get(RANGE).body)["snapshots"]] == [START, START + 50]


@pytest.mark.django_db
def test_times_may_be_iso_8601_with_a_zone() -> None:
    store(make_snapshot(START))
    for start in ("2024-12-26T00:54:20Z", "2024-12-26T01:54:20%2B01:00", "2024-12-26T01:54:20+01:00"):
        answer = json.loads(get(f"from={start}&to={START + 1}").body)
        assert answer["from"] == START
        assert len(answer["snapshots"]) == 1


@pytest.mark.django_db
def test_points_divide_the_range_into_that_many_buckets() -> None:
    store(*(make_snapshot(START + n) for n in range(100)))
    answer = json.loads(get(f"{RANGE}&points=10").body)
    assert answer["step"] == 10.0
    assert sum(row["count"] for row in answer["rows"]) == 100


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("from=abc", "ISO 8601"),
        ("from=nan", "between 1970 and 3000"),
        ("from=-1", "between 1970 and 3000"),
        ("to=1735174460123", "between 1970 and 3000"),
        (f"from={'9' * 400}", "between 1970 and 3000"),
        ("from=2024-12-26T00:54:20", "without a zone"),
        ("from=5&to=5", "must be before"),
        ("step=0", "at least 0.001"),
        ("step=inf", "at least 0.001"),
        ("step=0.1", "use step=1 or more"),
        ("points=0", f"1 to {MOST_BUCKETS}"),
        ("points=1e3", f"1 to {MOST_BUCKETS}"),
        ("points=9999999999999", f"1 to {MOST_BUCKETS}"),
        ("points=5&step=5", "give one of them"),
        ("format=xml", "json or csv"),
        ("form=1", "Unknown parameter 'form'"),
    ],
)
def test_a_mistake_is_told_with_what_is_allowed(query: str, complaint: str) -> None:
    response = get(query)
    assert response.status_code == 400
    assert complaint in response.json()["error"]


@given(st.dictionaries(st.sampled_from(["from", "to", "step", "points", "format"]), st.text(max_size=20)))
def test_no_query_breaks_the_parser(query: dict[str, str]) -> None:
    with suppress(BadQueryError):
        parsed = parse_query(query)
        assert parsed.start < parsed.end


@pytest.mark.django_db
def test_an_answer_that_is_known_already_is_not_sent_again_until_it_changes() -> None:
    store(make_snapshot(START))
    first = get(RANGE)
    assert get(RANGE, **{"If-None-Match": first["ETag"]}).status_code == 304
    store(make_snapshot(START + 1))
    assert get(RANGE, **{"If-None-Match": first["ETag"]}).status_code == 200


@pytest.mark.django_db
def test_csv_is_sent_as_a_file() -> None:
    store(make_snapshot(START))
    response = get(f"{RANGE}&format=csv")
    assert response["Content-Type"].startswith("text/csv")
    assert "attachment" in response["Content-Disposition"]
    assert response.body.startswith("timestamp,datetime,cpu,")


@pytest.mark.django_db
def test_other_methods_are_refused() -> None:
    for path in ("/stream/history", "/stream/latest"):
        assert async_to_sync(AsyncClient().post)(path).status_code == 405


def test_latest_is_the_newest_snapshot_and_503_before_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.hub, "_frames", type(runtime.hub._frames)(maxlen=10))
    assert get("", "/stream/latest").status_code == 503
    runtime.hub._frames.append(make_frame(*make_snapshot(START).to_message()))
    response = get("", "/stream/latest")
    assert response.body == make_snapshot(START).encode()
    assert get("", "/stream/latest", **{"If-None-Match": response["ETag"]}).status_code == 304


@pytest.mark.django_db
def test_a_database_that_is_away_is_a_503_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    def refuse(*args: Any, **options: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(SnapshotRecord.objects, "filter", refuse)
    response = get(RANGE)
    assert response.status_code == 503
    assert "database is locked" in response.json()["error"]
