"""Rows from before a metric or a group existed, and of groups that this version does not know."""

import csv
import io
import json
import math

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models
from django.db.migrations.executor import MigrationExecutor

from metrics.catalogue import METRICS, Group, SourceKind, metrics_of
from metrics.choice_reader import read_choices
from metrics.choices import DEFAULT_CHOICES
from metrics.first_choices import create_missing_rows
from metrics.history.buckets import summarise
from metrics.history.export import export_csv
from metrics.history.reader import read_newest
from metrics.models import DataSource, SnapshotRecord
from streaming.contract import find_violations
from streaming.health import describe_groups
from streaming.reasons import reasons_of_groups

NOW = 1_735_174_460.0
NOW_MS = 1_735_174_460_000
AI = {metric.key for metric in metrics_of(Group.AI)}


def store(**columns: object) -> SnapshotRecord:
    """A row as a version without the group `ai` and the metric `risk` wrote it, but for what is given."""
    absent = {*AI, "risk"}
    values = {key: metric.fallback for key, metric in METRICS.items() if key not in absent}
    known = {"source_system": "host", "source_portfolio": "redis", "problem_count": 0, "problems": "{}"}
    row = {"id": NOW_MS, "time_ms": NOW_MS, "interval_s": 3.0, "observed": "{}", **known, **values, **columns}
    return SnapshotRecord.objects.get(pk=SnapshotRecord.objects.create(**row).pk)


@pytest.mark.django_db
def test_what_did_not_exist_is_missing_and_has_no_source() -> None:
    store()
    text = read_newest(1)[0].text
    message = json.loads(text)
    assert find_violations(text)[1] == []
    assert message["sources"] == {"system": "host", "portfolio": "redis"}
    assert message["problems"] == dict.fromkeys((key for key in METRICS if key in AI or key == "risk"), "missing")
    assert {message[key] for key in AI} == {None}


@pytest.mark.django_db
def test_what_does_not_exist_any_more_is_left_out() -> None:
    problems = {"ram": "stale", "gone": "missing"}
    store(problems=json.dumps(problems), observed=json.dumps({"portfolio": NOW - 1, "gone": NOW}))
    text = read_newest(1)[0].text
    assert find_violations(text)[1] == []
    assert json.loads(text)["observed"] == {"portfolio": NOW - 1}
    assert json.loads(text)["problems"]["ram"] == "stale"


@pytest.mark.django_db
def test_summaries_and_csv_leave_the_source_empty() -> None:
    store()
    ((row,),) = summarise(NOW - 60, NOW + 60, 3600)
    assert row["sources"] == {"system": ["host"], "portfolio": ["redis"]}
    for step_s in (None, 3600.0):
        (line,) = csv.DictReader(io.StringIO("".join(export_csv(NOW - 60, NOW + 60, step_s))))
        assert (line["source_ai"], line["source_portfolio"]) == ("", "redis")


@pytest.mark.django_db
def test_a_bucket_in_which_the_group_began_has_its_source() -> None:
    store()
    store(id=NOW_MS + 3000, time_ms=NOW_MS + 3000, source_ai="mock")
    ((row,),) = summarise(math.floor(NOW / 3600) * 3600, NOW + 60, 3600)
    assert row["sources"]["ai"] == ["mock"]


@pytest.mark.django_db
def test_health_does_not_complain_of_a_group_that_did_not_exist() -> None:
    groups = describe_groups(json.loads(store().to_snapshot().encode()))
    assert list(groups) == ["system", "portfolio"]
    assert groups["portfolio"]["problems"] == {"risk": "missing"}
    assert [*reasons_of_groups(groups)] == ["Group portfolio (redis): risk missing."]


# --- the rows of the choice of sources ---


@pytest.mark.django_db
def test_a_row_of_a_group_that_this_version_does_not_know_is_left_alone() -> None:
    """A newer version beside this one has created it: staff's choice for the other groups still counts."""
    DataSource.objects.create(group="orders", kind="mock")
    DataSource.objects.filter(group="ai").update(kind="redis")
    choices = read_choices().choices
    assert set(choices) == set(Group)
    assert choices[Group.AI].kind is SourceKind.REDIS
    assert DataSource.objects.filter(group="orders").exists()


@pytest.mark.django_db
def test_every_migrate_creates_the_rows_that_are_not_there_and_changes_none() -> None:
    assert {row.group_enum: row.choice for row in DataSource.objects.all()} == DEFAULT_CHOICES
    DataSource.objects.filter(group="ai").delete()
    DataSource.objects.filter(group="portfolio").update(kind="redis", max_age_s=7)
    create_missing_rows(using="default", apps=apps)
    rows = {row.group_enum: row.choice for row in DataSource.objects.all()}
    assert rows[Group.AI] == DEFAULT_CHOICES[Group.AI]
    assert (rows[Group.PORTFOLIO].kind, rows[Group.PORTFOLIO].max_age_s) == (SourceKind.REDIS, 7)


@pytest.mark.django_db
def test_a_database_in_an_older_state_gets_only_the_rows_that_it_knows() -> None:
    loader = MigrationExecutor(connection).loader
    DataSource.objects.all().delete()
    create_missing_rows(using="default", apps=loader.project_state([]).apps)
    assert not DataSource.objects.exists()
    state = loader.project_state([("metrics", "0001_data_sources")])
    state.models["metrics", "datasource"].fields["group"] = models.CharField(
        max_length=16, choices=[("system", "System")]
    )
    create_missing_rows(using="default", apps=state.apps)
    assert [row.group for row in DataSource.objects.all()] == ["system"]


@pytest.mark.django_db
@pytest.mark.parametrize("group", [group for group in Group if SourceKind.HOST not in group.kinds])
def test_the_database_itself_refuses_a_kind_that_cannot_answer(group: Group) -> None:
    with pytest.raises(IntegrityError, match="groups_read_from_host"):
        DataSource.objects.filter(group=group).update(kind=SourceKind.HOST.value)
