"""History: what is written is what was published, and what is asked of it is answered."""

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metrics.catalogue import CATALOGUE, Group, SourceKind
from metrics.history import readable
from metrics.history.buckets import summarise
from metrics.history.export import export_csv, export_json, export_records
from metrics.history.reader import read_between, read_newest, read_newest_term_and_id
from metrics.models import SnapshotRecord, SourceSwitch
from metrics.reading import Problem
from metrics.snapshot import Snapshot, next_id

START = 1_735_174_460.0
START_ID = 1_735_174_460_000
TERM = 4


def make_snapshot(timestamp: float, *, place: int | None = None, **values: Any) -> Snapshot:
    """A snapshot of which only what a test cares about is given; the rest is null and missing.

    Its id is its time, or `place`.
    """
    own = next_id(None, timestamp) if place is None else place
    return Snapshot(
        id=own,
        previous=own - 3000,
        timestamp=timestamp,
        interval=3.0,
        values={metric.key: values.get(metric.key) for metric in CATALOGUE},
        sources={Group.SYSTEM: SourceKind.HOST, Group.AI: SourceKind.MOCK, Group.PORTFOLIO: SourceKind.REDIS},
        problems={metric.key: Problem.MISSING for metric in CATALOGUE if metric.key not in values},
        observed={Group.PORTFOLIO: timestamp - 1},
    )


def store(*snapshots: Snapshot) -> None:
    SnapshotRecord.objects.bulk_create([SnapshotRecord.from_snapshot(snapshot, TERM) for snapshot in snapshots])


@pytest.mark.django_db
def test_a_snapshot_comes_back_as_the_very_message_that_was_published() -> None:
    snapshot = make_snapshot(START + 0.123, cpu=56.21, latency=158, regime="bull", pnl=-0.01, exposure=0.62)
    store(snapshot)
    assert read_newest(1) == [snapshot.to_encoded(TERM)]


@pytest.mark.django_db
def test_newest_and_between_are_oldest_first_and_between_is_exclusive() -> None:
    store(*(make_snapshot(START + 3 * n) for n in range(6)))
    assert [m.id - START_ID for m in read_newest(2)] == [12_000, 15_000]
    assert [m.id - START_ID for m in read_between(START_ID, START_ID + 9000)] == [3000, 6000]
    assert [m.id - START_ID for m in read_between(START_ID + 9000, None)] == [12_000, 15_000]
    assert [m.id - START_ID for m in read_between(START_ID, None, limit=2)] == [3000, 6000]
    assert read_newest_term_and_id() == (TERM, START_ID + 15_000)


@pytest.mark.django_db
def test_order_is_by_id_whatever_the_clock_said() -> None:
    store(make_snapshot(START + 3600, place=START_ID), make_snapshot(START, place=START_ID + 1))
    assert [m.id for m in read_newest(2)] == [START_ID, START_ID + 1]
    assert [m.id for m in read_between(START_ID, None)] == [START_ID + 1]


# --- ranges of time, when clocks were set ---


def set_back() -> list[Snapshot]:
    """2500 snapshots at a clock that was set back by 1000 s after the first 1500: their times overlap."""
    times = [*range(1500), *range(500, 1500)]
    return [make_snapshot(START + seconds, place=START_ID + 1000 * n, cpu=1.5) for n, seconds in enumerate(times)]


@pytest.mark.django_db
@pytest.mark.parametrize(("first", "last"), [(0, 1500), (500, 1500), (700, 800), (1400, 1500), (0, 10), (1499, 1500)])
def test_a_range_has_every_snapshot_of_that_time_once_in_order_though_a_clock_was_set_back(
    first: int, last: int
) -> None:
    snapshots = set_back()
    store(*snapshots)
    answer = json.loads("".join(export_json(START + first, START + last, None)))
    expected = [s.id for s in snapshots if START + first <= s.timestamp < START + last]
    assert [message["id"] for message in answer["snapshots"]] == expected
    rows = chain.from_iterable(summarise(START + first, START + last, 7))
    assert sum(row["count"] for row in rows) == len(expected)


@pytest.mark.django_db
def test_the_last_of_a_bucket_is_the_last_that_was_published() -> None:
    store(make_snapshot(START + 9, place=START_ID, cpu=1.0), make_snapshot(START, place=START_ID + 1, cpu=2.0))
    ((row,),) = summarise(START, START + 10, 3600)
    assert row["cpu"]["last"] == 2.0


@pytest.mark.django_db
def test_csv_has_the_place_in_the_sequence() -> None:
    store(make_snapshot(START))
    (line,) = csv.DictReader(io.StringIO("".join(export_csv(START, START + 10, None))))
    assert (line["id"], line["previous"]) == (str(START_ID), str(START_ID - 3000))


# --- rows that cannot be read ---

HARM: list[dict[str, Any]] = [
    {"source_ai": "kafka"},
    {"problems": "{"},
    {"problems": "[]"},
    {"problems": '{"cpu": "tired"}'},
    {"observed": "null"},
    {"observed": '{"ai": "now"}'},
    {"time_ms": 10**17},
    {"pnl": math.inf},
]


@pytest.mark.django_db
@pytest.mark.parametrize("harm", HARM)
def test_a_row_that_cannot_be_read_is_left_out_and_named_once(
    harm: dict[str, Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readable, "_named", set())
    store(*(make_snapshot(START + n, cpu=1.0) for n in range(4)))
    SnapshotRecord.objects.filter(id=START_ID + 3000).update(**harm)
    SnapshotRecord.objects.filter(id=START_ID + 1000).update(**harm)
    readable_ids = [START_ID, START_ID + 2000]
    for _ in range(2):
        assert [m.id for m in read_newest(10)] == readable_ids
        assert [m.id for m in read_between(0, None)] == readable_ids
        assert [m.id for m in read_between(START_ID, None, limit=1)] == [START_ID + 2000]
        answer = json.loads("".join(export_json(START, START + 10**15 / 1000, None)))
        assert [m["id"] for m in answer["snapshots"]] == readable_ids
        lines = csv.DictReader(io.StringIO("".join(export_records(every_record()))))
        assert [int(line["id"]) for line in lines] == readable_ids
        assert sum(row["count"] for row in chain.from_iterable(summarise(START, START + 10, 3600))) >= 2
    assert len(caplog.records) == 2
    assert {f"snapshot {START_ID + 1000} in history", f"snapshot {START_ID + 3000} in history"} == {
        re.search(r"snapshot \d+ in history", record.getMessage()).group()  # type: ignore[union-attr]
        for record in caplog.records
    }


# --- summaries ---

readings = st.lists(
    st.tuples(
        st.integers(0, 200_000),
        st.one_of(st.none(), st.floats(-1e6, 1e6, allow_nan=False)),
        st.one_of(st.none(), st.integers(0, 500)),
        st.one_of(st.none(), st.sampled_from(["bull", "bear"])),
    ),
    max_size=40,
    unique_by=lambda row: row[0],
)


def by_hand(snapshots: list[Snapshot], step_s: float) -> Iterator[dict[str, Any]]:
    """What summarise() must yield, the slow way."""
    step_ms = round(step_s * 1000)
    buckets: dict[int, list[Snapshot]] = {}
    for snapshot in snapshots:
        buckets.setdefault(round(snapshot.timestamp * 1000) // step_ms, []).append(snapshot)
    for number, held in sorted(buckets.items()):
        pnl = [float(s.values["pnl"]) for s in held if s.values["pnl"] is not None]
        yield {
            "time": number * step_ms / 1000,
            "count": len(held),
            "problems": sum(len(s.problems) for s in held),
            "min": min(pnl, default=None),
            "max": max(pnl, default=None),
            "mean": pytest.approx(sum(pnl) / len(pnl), abs=1e-5) if pnl else None,
            "last": held[-1].values["pnl"],
            "regime": held[-1].values["regime"],
        }


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(readings, st.sampled_from([0.05, 3, 7.5, 60, 1000]))
def test_summaries_are_what_one_would_compute_by_hand(rows: list[tuple[Any, ...]], step_s: float) -> None:
    SnapshotRecord.objects.all().delete()
    snapshots = (
        [
            make_snapshot(START + offset / 1000, **{k: v for k, v in values.items() if v is not None})
            for offset, values in sorted(
                (offset, {"pnl": pnl, "latency": latency, "regime": regime}) for offset, pnl, latency, regime in rows
            )
        ]
        if rows
        else []
    )
    store(*snapshots)
    found = [
        {
            "time": row["time"],
            "count": row["count"],
            "problems": row["problems"],
            **{part: row["pnl"][part] for part in ("min", "max", "mean", "last")},
            "regime": row["regime"]["last"],
        }
        for row in chain.from_iterable(summarise(START, START + 1e6, step_s))
    ]
    assert found == list(by_hand(snapshots, step_s))


@pytest.mark.django_db
def test_a_bucket_names_every_kind_of_source_that_occurs_in_it() -> None:
    store(make_snapshot(START), make_snapshot(START + 1))
    SnapshotRecord.objects.filter(time_ms=round(START * 1000)).update(source_ai="redis")
    ((row,),) = summarise(START, START + 10, 3600)
    assert row["sources"] == {"system": ["host"], "ai": ["mock", "redis"], "portfolio": ["redis"]}


# --- export ---


@pytest.mark.django_db
@pytest.mark.parametrize("count", [0, 1, 2500])
def test_json_without_steps_is_every_message_and_the_events(count: int) -> None:
    snapshots = [make_snapshot(START + n, cpu=1.5) for n in range(count)]
    store(*snapshots)
    SourceSwitch.objects.create(time_ms=int(START * 1000), group="ai", from_kind="mock", to_kind="redis", by="ada")
    answer = json.loads("".join(export_json(START, START + 10_000, None)))
    assert answer["snapshots"] == [json.loads(snapshot.encode()) for snapshot in snapshots]
    assert answer["events"] == [{"time": START, "group": "ai", "from": "mock", "to": "redis", "by": "ada"}]


@pytest.mark.django_db
def test_csv_has_a_line_per_snapshot_and_a_cell_per_metric() -> None:
    store(make_snapshot(START, cpu=1.5, regime="bull"), make_snapshot(START + 3, latency=7))
    lines = list(csv.DictReader(io.StringIO("".join(export_csv(START, START + 10, None)))))
    assert [(line["cpu"], line["latency"], line["regime"]) for line in lines] == [("1.5", "", "bull"), ("", "7", "")]
    assert "cpu:missing" in lines[1]["problems"]


@pytest.mark.django_db
def test_csv_of_summaries_has_a_cell_per_part() -> None:
    store(make_snapshot(START, cpu=1.0), make_snapshot(START + 1, cpu=3.0))
    (line,) = csv.DictReader(io.StringIO("".join(export_csv(START, START + 10, 3600))))
    assert (line["cpu_min"], line["cpu_mean"], line["cpu_max"], line["cpu_last"]) == ("1.0", "2.0", "3.0", "3.0")


@pytest.mark.django_db
@pytest.mark.parametrize("sign", list("=+-@\t\r\n＝＋－＠"))
def test_csv_never_hands_a_formula_to_a_spreadsheet(sign: str) -> None:
    store(make_snapshot(START, cpu=1.0, pnl=-5.0, regime=f"{sign}1+1"))
    texts = (export_csv(START, START + 10, None), export_csv(START, START + 10, 60), export_records(every_record()))
    for text in texts:
        (line,) = csv.DictReader(io.StringIO("".join(text), newline=""))
        assert line.get("regime", line.get("regime_last")) == f"'{sign}1+1"
        assert line.get("pnl", line.get("pnl_last")) == "-5.0"  # a number is none


@pytest.mark.django_db
def test_what_the_admin_exports_are_the_lines_of_the_same_range_over_http() -> None:
    store(*(make_snapshot(START + n, cpu=float(n)) for n in range(2500)))
    assert "".join(export_records(every_record())) == "".join(export_csv(START, START + 10_000, None))


@pytest.mark.django_db
def test_a_summary_of_more_buckets_than_a_page_has_each_once_and_skips_what_is_empty() -> None:
    times = [*range(1200), *range(10_000_000, 10_000_700)]
    store(*(make_snapshot(START + n) for n in times))
    rows = list(chain.from_iterable(summarise(START, START + 1e8, 1)))
    assert [row["time"] for row in rows] == [START + n for n in times]


def every_record() -> QuerySet[SnapshotRecord]:
    return SnapshotRecord.objects.all()


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="asks SQLite how it would read")
@pytest.mark.parametrize("where", ["id > 5 ORDER BY id", "id > 5 AND id < 9 AND time_ms + 0 > 5 ORDER BY id"])
def test_sqlite_keeps_the_table_itself_in_the_order_of_ids(where: str) -> None:
    """The key must be SQLite's own row id: any other key is an index beside the table, twice as slow for stretches."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN SELECT * FROM metrics_snapshotrecord WHERE {where}")
        plan = cursor.fetchall()
    assert len(plan) == 1
    assert "INTEGER PRIMARY KEY" in plan[0][3]


@pytest.mark.django_db
@pytest.mark.parametrize("harm", HARM)
def test_the_admin_shows_rows_that_cannot_be_read(harm: dict[str, Any], admin_client: Client) -> None:
    store(*(make_snapshot(START + n, cpu=1.0) for n in range(2)))
    SnapshotRecord.objects.filter(id=START_ID + 1000).update(**harm)
    for path in ("snapshotrecord/", f"snapshotrecord/{START_ID + 1000}/change/", "datasource/"):
        assert admin_client.get(f"/admin/metrics/{path}").status_code == 200
