"""History: what is written is what was published, and what is asked of it is answered."""

import asyncio
import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models import QuerySet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metrics.catalogue import CATALOGUE, Group, SourceKind
from metrics.history import writer as writing
from metrics.history.buckets import summarise
from metrics.history.export import export_csv, export_json, export_records
from metrics.history.reader import read_between, read_newest
from metrics.history.writer import HistoryWriter
from metrics.models import SnapshotRecord, SourceSwitch
from metrics.reading import Problem
from metrics.snapshot import Snapshot

START = 1_735_174_460.0


def make_snapshot(timestamp: float, **values: Any) -> Snapshot:
    """A snapshot of which only what a test cares about is given; the rest is null and missing."""
    return Snapshot(
        timestamp=timestamp,
        previous=round(timestamp - 3, 3),
        interval=3.0,
        values={metric.key: values.get(metric.key) for metric in CATALOGUE},
        sources={Group.SYSTEM: SourceKind.HOST, Group.AI: SourceKind.MOCK, Group.PORTFOLIO: SourceKind.REDIS},
        problems={metric.key: Problem.MISSING for metric in CATALOGUE if metric.key not in values},
        observed={Group.PORTFOLIO: timestamp - 1},
    )


def store(*snapshots: Snapshot) -> None:
    SnapshotRecord.objects.bulk_create([SnapshotRecord.from_snapshot(snapshot) for snapshot in snapshots])


@pytest.mark.django_db
def test_a_snapshot_comes_back_as_the_very_message_that_was_published() -> None:
    snapshot = make_snapshot(START + 0.123, cpu=56.21, latency=158, regime="bull", pnl=-0.01, exposure=0.62)
    store(snapshot)
    assert read_newest(1) == [snapshot.to_encoded()]


@pytest.mark.django_db
def test_newest_and_between_are_oldest_first_and_between_is_exclusive() -> None:
    store(*(make_snapshot(START + 3 * n) for n in range(6)))
    assert [m.timestamp for m in read_newest(2)] == [START + 12, START + 15]
    assert [m.timestamp for m in read_between(START, START + 9)] == [START + 3, START + 6]


# --- writing ---


def run_writer(scenario: Any, **options: Any) -> None:
    """Run `scenario(writer)` on a loop, and close the writer."""

    async def run() -> None:
        writer = HistoryWriter(retention_s=options.pop("retention_s", 1e9), **options)
        try:
            await scenario(writer)
        finally:
            await writer.aclose()

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - any condition, polled
            await asyncio.sleep(0.001)


def stored_times() -> list[float]:
    return [record.timestamp for record in SnapshotRecord.objects.order_by("time_ms")]


@pytest.mark.django_db(transaction=True)
def test_what_waits_for_a_database_that_is_away_is_written_oldest_first_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[float] = []
    is_away = True
    write = writing.write

    def fail_then_write(records: list[SnapshotRecord]) -> None:
        if is_away:
            raise OperationalError("database is locked")
        written.extend(record.timestamp for record in records)
        write(records)

    monkeypatch.setattr(writing, "write", fail_then_write)
    monkeypatch.setattr(writing, "RETRY_S", 0.01)

    async def scenario(writer: HistoryWriter) -> None:
        nonlocal is_away
        running = asyncio.create_task(writer.run())
        for n in range(500):
            writer.add(make_snapshot(START + n))
        await until(lambda: writer.error is not None)
        assert writer.waiting == 500
        is_away = False
        await until(lambda: not writer.waiting)
        assert writer.error is None
        running.cancel()
        await asyncio.wait([running])

    run_writer(scenario)
    assert written == [START + n for n in range(500)]
    assert stored_times() == written


@pytest.mark.django_db(transaction=True)
def test_only_past_the_bound_are_the_oldest_given_up_and_counted() -> None:
    async def scenario(writer: HistoryWriter) -> None:
        for n in range(15):
            writer.add(make_snapshot(START + n))
        assert writer.waiting == 10
        assert writer.given_up == 5

    run_writer(scenario, capacity=10)
    assert stored_times() == [START + n for n in range(5, 15)]


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_that_is_there_already_stays_as_it_is() -> None:
    store(make_snapshot(START, cpu=1.0))

    async def scenario(writer: HistoryWriter) -> None:
        writer.add(make_snapshot(START, cpu=2.0))
        writer.add(make_snapshot(START + 1, cpu=3.0))

    run_writer(scenario)
    assert list(SnapshotRecord.objects.order_by("time_ms").values_list("cpu", flat=True)) == [1.0, 3.0]


@pytest.mark.django_db(transaction=True)
def test_retention_deletes_what_is_too_old_in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    prune = writing.prune
    monkeypatch.setattr(writing, "prune", lambda before: steps.append(prune(before)) or steps[-1])
    store(*(make_snapshot(START + n) for n in range(450)))

    async def scenario(writer: HistoryWriter) -> None:
        running = asyncio.create_task(writer.run())
        writer.add(make_snapshot(4e9))
        await until(lambda: bool(steps) and steps[-1] < writing.BATCH)
        running.cancel()
        await asyncio.wait([running])

    run_writer(scenario, retention_s=60)
    assert steps == [200, 200, 50]
    assert stored_times() == [4e9]


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


def test_sqlite_keeps_the_table_itself_in_the_order_of_time(django_db_blocker: Any) -> None:
    """The key must be SQLite's own row id: any other key is an index beside the table, twice as slow for ranges."""
    from django.core.management import call_command

    sql = io.StringIO()
    with django_db_blocker.unblock():
        call_command("sqlmigrate", "metrics", "0003", stdout=sql)
    database = sqlite3.connect(":memory:")
    database.executescript(sql.getvalue())
    plan = database.execute("EXPLAIN QUERY PLAN SELECT * FROM metrics_snapshotrecord WHERE time_ms > 5").fetchall()
    assert "INTEGER PRIMARY KEY" in plan[0][3]
