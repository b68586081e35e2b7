"""History over HTTP: ranges, mistakes, caches."""

import asyncio
import gc
import gzip
import json
import threading
import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from hypothesis import given
from hypothesis import strategies as st

from metrics.history.export_gate import gate
from metrics.models import SnapshotRecord, SourceSwitch
from quantum_dashboard.compression import compress
from streaming.runtime import Runtime
from streaming.web.history_query import MOST_BUCKETS, BadQueryError, parse_query
from streaming.wire import Frame
from tests.hubs import RuntimeClient
from tests.test_history import START, START_ID, make_snapshot, store

RANGE = f"from={START}&to={START + 100}"


@async_to_sync
async def get(query: str, path: str = "/stream/history", runtime: Runtime | None = None, **headers: str) -> Any:
    """GET, with the streamed body read to its end, from a process that runs `runtime`."""
    client = RuntimeClient(runtime or Runtime())
    response: Any = await client.get(f"{path}?{query}", headers=headers)
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
def test_without_an_end_it_ends_after_the_newest_snapshot_though_its_clock_was_ahead_of_this_one() -> None:
    ahead = round(time.time()) + 7200.5
    store(make_snapshot(ahead - 5), make_snapshot(ahead))
    answer = json.loads(get("").body)
    assert [s["timestamp"] for s in answer["snapshots"]] == [ahead - 5, ahead]
    assert len(json.loads(get(f"from={ahead}").body)["snapshots"]) == 1


@pytest.mark.django_db
def test_without_an_end_it_ends_now_when_a_clock_that_was_ahead_was_set_back() -> None:
    now = round(time.time()) - 1.0
    store(make_snapshot(now + 10**6), make_snapshot(now, place=round(now * 1000) + 10**9 + 1))
    assert [s["timestamp"] for s in json.loads(get("").body)["snapshots"]] == [now]


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
        ("points=0000000019999999", f"1 to {MOST_BUCKETS}"),
        (f"points={'0' * 5000}5", f"1 to {MOST_BUCKETS}"),
        ("points=1_0", f"1 to {MOST_BUCKETS}"),
        ("points=%D9%A3", f"1 to {MOST_BUCKETS}"),  # an Arabic 3
        (f"step={'9' * 5000}", "at least 0.001"),
        ("step=1e400", "at least 0.001"),
        ("step=nan", "at least 0.001"),
        ("step=1_0", "at least 0.001"),
        ("step=%D9%A3", "at least 0.001"),
        ("step=0.0005", "at least 0.001"),
        ("from=0&to=6.2&step=0.0014", "makes more than"),  # would be rounded to 0.001
        ("from=1e400", "between 1970 and 3000"),
        ("from=1_735_174_460", "ISO 8601"),
        ("to=%D9%A3", "ISO 8601"),
        (f"{'f' * 5000}=1", "Unknown parameter 'fff"),
        ("points=5&step=5", "give one of them"),
        ("format=xml", "json or csv"),
        ("form=1", "Unknown parameter 'form'"),
    ],
)
@pytest.mark.django_db
def test_a_mistake_is_told_with_what_is_allowed(query: str, complaint: str) -> None:
    response = get(query)
    assert response.status_code == 400
    assert complaint in response.json()["error"]
    assert len(response.json()["error"]) < 200


anything = st.text(max_size=20)
number_like = st.floats().map(str)
padded = st.tuples(st.integers(0, 6000), st.integers(0, 10**8)).map(lambda pair: "0" * pair[0] + str(pair[1]))


@given(
    st.dictionaries(
        st.sampled_from(["from", "to", "step", "points", "format"]), st.one_of(anything, number_like, padded)
    )
)
def test_no_query_breaks_the_parser_or_asks_for_more_rows_than_allowed(query: dict[str, str]) -> None:
    with suppress(BadQueryError):
        parsed = parse_query(query)
        assert 0 <= parsed.start < parsed.end
        if parsed.step_s is not None:
            assert (parsed.end - parsed.start) / parsed.step_s <= MOST_BUCKETS * 1.000001


@pytest.mark.django_db
def test_an_answer_that_is_known_already_is_not_sent_again_until_it_changes() -> None:
    store(make_snapshot(START))
    first = get(RANGE)
    assert get(RANGE, **{"If-None-Match": first["ETag"]}).status_code == 304
    store(make_snapshot(START + 1))
    assert get(RANGE, **{"If-None-Match": first["ETag"]}).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("query", [RANGE, f"{RANGE}&points=5"])
def test_whatever_changes_in_a_range_changes_its_etag(query: str) -> None:
    store(*(make_snapshot(START + n) for n in (10, 20, 30, 90)))
    etags = [get(query)["ETag"]]

    def has_changed() -> bool:
        assert get(query, **{"If-None-Match": etags[-1]}).status_code == 200
        etags.append(get(query)["ETag"])
        return len(set(etags)) == len(etags)

    store(make_snapshot(START + 50))  # written late: neither the oldest nor the newest
    assert has_changed()
    SnapshotRecord.objects.filter(pk=round((START + 10) * 1000)).delete()  # for its age, and one more in its place
    store(make_snapshot(START + 60))
    assert has_changed()
    for _ in range(2):
        SourceSwitch.objects.create(time_ms=START * 1000, group="ai", from_kind="mock", to_kind="redis", by="ada")
        assert has_changed()
    store(make_snapshot(START + 1000))
    assert get(query, **{"If-None-Match": etags[-1]}).status_code == 304  # that was outside


@pytest.mark.django_db
def test_csv_is_sent_as_a_file_named_after_its_range() -> None:
    store(make_snapshot(START))
    for step, first in (("", "timestamp,datetime,cpu,"), ("&step=10", "time,datetime,count,")):
        response = get(f"{RANGE}&format=csv{step}")
        assert response["Content-Type"].startswith("text/csv")
        name = "history-20241226T005420Z-20241226T005600Z.csv"
        assert response["Content-Disposition"] == f'attachment; filename="{name}"'
        assert response.body.startswith(first)


@pytest.mark.django_db
def test_for_a_head_nothing_is_read(django_assert_num_queries: Any) -> None:
    store(make_snapshot(START))
    with django_assert_num_queries(2):  # the ETag's
        response = async_to_sync(RuntimeClient(Runtime()).head)(f"/stream/history?{RANGE}")
    assert response["ETag"] == get(RANGE)["ETag"]


# --- long answers ---


@pytest.mark.django_db
def test_one_long_answer_more_than_allowed_is_told_when_to_come_back(settings: Any) -> None:
    settings.HISTORY_EXPORTS = 1
    store(*(make_snapshot(START + n / 100) for n in range(3000)))

    @async_to_sync
    async def during_an_export() -> Any:
        response: Any = await RuntimeClient(Runtime()).get(f"/stream/history?{RANGE}")
        parts = aiter(response)
        await anext(parts)
        answers = [await RuntimeClient(Runtime()).get(f"/stream/history?{RANGE}{more}") for more in ("", "&points=400")]
        async for _ in parts:
            pass
        return answers

    refused, summary = during_an_export()
    assert refused.status_code == 503
    assert int(refused["Retry-After"]) > 0
    assert "ask for a shorter range" in refused.json()["error"]
    assert summary.status_code == 200  # what the page asks for is sent at once
    assert gate.under_way == 0
    assert get(RANGE).status_code == 200


@pytest.mark.django_db
def test_an_export_that_nobody_reads_to_its_end_gives_its_slot_back() -> None:
    store(*(make_snapshot(START + n / 100) for n in range(3000)))

    @async_to_sync
    async def begin_and(leave: Callable[[Any, Any], Any], count: int) -> None:
        response: Any = await RuntimeClient(Runtime()).get(f"/stream/history?{RANGE}")
        assert gate.under_way == 1
        parts = aiter(response)
        for _ in range(count):
            await anext(parts)
        leave(response, parts)
        del response, parts
        async with asyncio.timeout(30):
            while gate.under_way:
                gc.collect()
                await asyncio.sleep(0)

    for count in (0, 1):
        begin_and(lambda response, _: response.close(), count)
        begin_and(lambda *_: None, count)


async def pieces_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@given(
    st.lists(st.tuples(st.binary(max_size=50), st.integers(0, 9000)).map(lambda pair: pair[0] * pair[1]), max_size=8)
)
def test_a_compressed_stream_is_one_file_of_everything_in_order(chunks: list[bytes]) -> None:
    async def read() -> bytes:
        return b"".join([part async for part in compress(pieces_of(*chunks))])

    assert gzip.decompress(asyncio.run(read())) == b"".join(chunks)


def test_long_pieces_are_compressed_outside_of_the_event_loop_and_short_ones_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[int, bool]] = []
    make = zlib.compressobj

    class Compressor:
        def __init__(self, **options: Any) -> None:
            self.flush = (real := make(**options)).flush
            self._real = real

        def compress(self, piece: bytes) -> bytes:
            calls.append((len(piece), threading.current_thread() is threading.main_thread()))
            return self._real.compress(piece)

    monkeypatch.setattr(zlib, "compressobj", Compressor)

    async def read() -> None:
        async for _ in compress(pieces_of(b"tiny", b"long" * 200_000)):
            pass

    asyncio.run(read())
    assert calls[0] == (4, True)
    assert sum(size for size, _ in calls[1:]) == 800_000
    assert all(size <= 65_536 and not is_loop for size, is_loop in calls[1:])


@pytest.mark.django_db
def test_other_methods_are_refused() -> None:
    for path in ("/stream/history", "/stream/latest"):
        assert async_to_sync(RuntimeClient(Runtime()).post)(path).status_code == 405


def test_latest_is_the_newest_snapshot_and_503_before_the_first() -> None:
    first, other = Runtime(), Runtime()
    assert get("", "/stream/latest", first).status_code == 503
    first.hub.recent.append(Frame(*make_snapshot(START).to_encoded(1)))
    response = get("", "/stream/latest", first)
    assert response.body == make_snapshot(START).encode()
    assert get("", "/stream/latest", first, **{"If-None-Match": response["ETag"]}).status_code == 304
    assert response["ETag"] == f'"{START_ID}"'
    assert get("", "/stream/latest", other).status_code == 503  # each has its own


@pytest.mark.django_db
def test_a_database_that_is_away_is_a_503_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    def refuse(*args: Any, **options: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(SnapshotRecord.objects, "filter", refuse)
    response = get(RANGE)
    assert response.status_code == 503
    assert "database is locked" in response.json()["error"]
