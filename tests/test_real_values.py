"""What is not real never looks real in history: summaries and CSV, and rows from before that was so."""

import csv
import dataclasses
import io
import json
from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from metrics.catalogue import METRICS, Group, SourceKind
from metrics.history.buckets import summarise
from metrics.history.export import export_csv, export_json
from metrics.history.reader import read_newest
from metrics.models import SnapshotRecord
from metrics.reading import Problem
from metrics.snapshot import Snapshot
from tests.test_history import START, TERM, make_snapshot, store


def with_problem(timestamp: float, problem: Problem, **values: Any) -> Snapshot:
    """A snapshot whose `values` (null, or what stands in) have a problem."""
    snapshot = make_snapshot(timestamp, **values)
    problems = {**snapshot.problems, **dict.fromkeys(values, problem)}
    return dataclasses.replace(snapshot, problems={key: problems[key] for key in METRICS if key in problems})


def from_source(snapshot: Snapshot, kind: SourceKind) -> Snapshot:
    return dataclasses.replace(snapshot, sources={**snapshot.sources, Group.AI: kind})


def redis(timestamp: float, **values: Any) -> Snapshot:
    return from_source(make_snapshot(timestamp, **values), SourceKind.REDIS)


#: What may stand where real values were, at START + 3; each with the snapshot's cell of problems.
UNREAL = {
    "fallback": (with_problem(START + 3, Problem.UNREACHABLE, latency=184), "latency:unreachable"),
    "stale": (with_problem(START + 3, Problem.STALE, latency=900), "latency:stale"),
    "missing": (with_problem(START + 3, Problem.MISSING, latency=None), "latency:missing"),
    "invalid": (with_problem(START + 3, Problem.INVALID, latency=None), "latency:invalid"),
    "unreachable": (with_problem(START + 3, Problem.UNREACHABLE, latency=None), "latency:unreachable"),
}


def summary(step_s: float = 3600) -> dict[str, Any]:
    """The one row that history is summed up to."""
    (row,) = chain.from_iterable(summarise(START - 60, START + 60, step_s))
    return row


def csv_lines(step_s: float | None) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(export_csv(START - 60, START + 60, step_s)))))


@pytest.mark.django_db
@pytest.mark.parametrize("name", UNREAL)
def test_what_is_not_real_is_in_no_sum_and_marked(name: str) -> None:
    unreal, cell = UNREAL[name]
    unreal = from_source(unreal, SourceKind.REDIS)
    store(redis(START, latency=100), unreal, redis(START + 6, latency=110))
    latency = summary()["latency"]
    kind = cell.split(":")[1]
    assert latency == {"min": 100, "mean": 105, "max": 110, "last": 110, "problems": {kind: 1}}
    (line,) = csv_lines(3600)
    assert (line["latency_min"], line["latency_mean"], line["latency_max"]) == ("100", "105.0", "110")
    assert f"{cell}=1" in line["problems"].split()
    assert cell in csv_lines(None)[1]["problems"].split()
    assert "latency" not in csv_lines(None)[2]["problems"]


@pytest.mark.django_db
@pytest.mark.parametrize("name", UNREAL)
def test_a_bucket_with_nothing_real_has_no_numbers(name: str) -> None:
    unreal = from_source(UNREAL[name][0], SourceKind.REDIS)
    store(unreal)
    latency = summary()["latency"]
    assert [latency[part] for part in ("min", "mean", "max", "last")] == [None] * 4
    assert latency.get("stand_in") == unreal.values["latency"]
    (line,) = csv_lines(3600)
    assert [line[f"latency_{part}"] for part in ("min", "mean", "max", "last")] == [""] * 4


@pytest.mark.django_db
def test_of_a_bucket_with_simulated_and_real_values_only_the_real_ones_count() -> None:
    store(make_snapshot(START, latency=1), redis(START + 3, latency=100), redis(START + 6, latency=110))
    row = summary()
    assert row["sources"]["ai"] == ["mock", "redis"]
    assert {part: row["latency"][part] for part in ("min", "mean", "max", "last")} == {
        "min": 100,
        "mean": 105,
        "max": 110,
        "last": 110,
    }


@pytest.mark.django_db
def test_the_last_value_of_such_a_bucket_is_none_where_it_is_simulated() -> None:
    store(redis(START, latency=100, regime="bull"), make_snapshot(START + 3, latency=1, regime="bear"))
    row = summary()
    assert (row["latency"]["max"], row["latency"]["last"], row["regime"]["last"]) == (100, None, None)


@pytest.mark.django_db
def test_a_bucket_with_three_kinds_of_source_names_the_simulated_one() -> None:
    kinds = [SourceKind.HOST, SourceKind.MOCK, SourceKind.REDIS]
    snapshots = [make_snapshot(START + 3 * n, cpu=10.0 * n) for n in range(3)]
    store(
        *(
            dataclasses.replace(snapshot, sources={**snapshot.sources, Group.SYSTEM: kind})
            for snapshot, kind in zip(snapshots, kinds, strict=True)
        )
    )
    row = summary()
    assert row["sources"]["system"] == ["host", "mock", "redis"]
    assert (row["cpu"]["min"], row["cpu"]["mean"], row["cpu"]["max"]) == (0.0, 10.0, 20.0)


@pytest.mark.django_db
def test_a_bucket_that_is_simulated_in_full_has_its_numbers_and_says_so() -> None:
    store(make_snapshot(START, latency=1), make_snapshot(START + 3, latency=3))
    row = summary()
    assert (row["sources"]["ai"], row["latency"]["mean"], row["latency"]["last"]) == (["mock"], 2, 3)


@pytest.mark.django_db
@pytest.mark.parametrize("name", UNREAL)
def test_a_message_with_something_unreal_comes_back_as_it_was_published(name: str) -> None:
    snapshot = UNREAL[name][0]
    store(snapshot)
    assert read_newest(1) == [snapshot.to_encoded(TERM)]


@pytest.mark.django_db
@pytest.mark.parametrize("harm", ["{", "[]", "7", '{"latency": "soon"}', '{"gone": 1}'])
def test_stand_ins_that_cannot_be_read_break_no_answer(harm: str) -> None:
    store(UNREAL["stale"][0], redis(START + 6, latency=110))
    SnapshotRecord.objects.filter(stand_ins__gt="").update(stand_ins=harm)
    assert summary()["count"] == 2
    for step_s in (None, 3600.0, 1.0):
        json.loads("".join(export_json(START - 60, START + 60, step_s)))
    record = SnapshotRecord.objects.get(stand_ins=harm)
    assert record.shown("cpu") is None


@pytest.mark.django_db
def test_history_says_how_far_back_it_goes() -> None:
    assert json.loads("".join(export_json(START, START + 60, None)))["oldest"] is None
    store(redis(START - 5000, latency=1), redis(START, latency=1))
    assert json.loads("".join(export_json(START, START + 60, None)))["oldest"] == START - 5000


@pytest.mark.django_db(transaction=True)
def test_what_older_releases_kept_as_values_is_told_apart() -> None:
    """Their rows had stand-ins in the columns of values."""
    stale, plain = UNREAL["stale"][0], redis(START + 6, latency=110)
    executor = MigrationExecutor(connection)
    store(stale, plain)
    try:
        executor.migrate([("metrics", "0005_ids")])
        old = executor.loader.project_state([("metrics", "0005_ids")]).apps.get_model("metrics", "SnapshotRecord")
        old.objects.filter(id=stale.id).update(latency=900)
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes("metrics"))  # whatever was added since: others come after us
    assert [message.text for message in read_newest(2)] == [stale.encode(), plain.encode()]
    assert SnapshotRecord.objects.get(id=stale.id).latency is None
    assert summary()["latency"]["max"] == 110
