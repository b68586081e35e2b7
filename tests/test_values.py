"""Values: strict parsing, ranges, and that nothing invented looks real."""

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.catalogue import CATALOGUE, METRICS, Group, InvalidValueError, Metric, SourceKind
from metrics.choices import DEFAULT_CHOICES, SourceChoice
from metrics.parsing import parse_value
from metrics.reading import Problem, Reading
from metrics.snapshot import KEYS, Snapshot, compose_snapshot, decode_snapshot, next_id, to_ms
from metrics.sources.redis import Answer, compose_reading, judge_heartbeat, keys_of, safe_address
from metrics.thresholds import Thresholds, Worse
from streaming.contract import find_violations

NOW = 1_735_174_460.0
NOW_MS = 1_735_174_460_000


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("positions", b"14", 14),
        ("positions", "14.0", 14),
        ("positions", b" 14\n", 14),
        ("positions", "1e3", 1000),
        ("exposure", b"0.62", 0.62),
        ("exposure", ".5", 0.5),
        ("pnl", "-126692.144", -126692.14),
        ("pnl", "-0", 0.0),
        ("sharpe", "+1.2", 1.2),
        ("cpu", "56", 56.0),
        ("regime", b"bull", "bull"),
        ("regime", "  sideways ", "sideways"),
        ("regime", "überhitzt".encode(), "überhitzt"),
    ],
)
def test_what_is_a_value(key: str, raw: bytes | str, value: float | int | str) -> None:
    parsed = parse_value(METRICS[key], raw)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        *(
            ("pnl", raw)
            for raw in (
                "nan",
                "inf",
                "-Infinity",
                "",
                " ",
                "12abc",
                "1_000",
                "0x10",
                "١٢",
                "1,5",
                "--1",
                "9" * 65,
                "1e999",
            )
        ),
        ("exposure", "62"),
        ("exposure", "-0.01"),
        ("cpu", "100.01"),
        ("positions", "14.5"),
        ("positions", "-1"),
        ("positions", "1e300"),
        ("positions", str(2**53)),
        ("latency", b"\xff\xfe"),
        ("regime", ""),
        ("regime", "x" * 33),
        ("regime", "two\nlines"),
        ("regime", b"\xff"),
    ],
)
def test_what_is_none(key: str, raw: bytes | str) -> None:
    with pytest.raises(InvalidValueError):
        parse_value(METRICS[key], raw)


@given(st.sampled_from(CATALOGUE), st.one_of(st.text(max_size=80), st.binary(max_size=80), st.floats().map(str)))
def test_whatever_is_written_is_a_value_in_range_or_refused(metric: Metric, raw: str | bytes) -> None:
    try:
        value = parse_value(metric, raw)
    except InvalidValueError:
        return
    assert metric.accept(value) == value
    assert not isinstance(value, float) or math.isfinite(value)


# --- for people ---


@pytest.mark.parametrize(
    ("key", "value", "shown", "with_unit"),
    [
        ("cpu", 56.21, "56", "56 %"),
        ("accuracy", 0.784, "78.4 %", "78.4 %"),
        ("exposure", 0.62, "62 %", "62 %"),
        ("exposure", None, "—", "—"),
        ("pnl", -126692.1, "-126,692.10", "-126,692.10 EUR"),
        ("containers", 1234, "1,234", "1,234"),
        ("sharpe", 1.2, "1.20", "1.20"),
        ("positions", 14, "14", "14"),
        ("latency", 158, "158", "158 ms"),
        ("regime", "bull", "bull", "bull"),
        ("cpu", None, "—", "—"),
        ("cpu", "high", "high", "high %"),
        ("cpu", 10**400, str(10**400), f"{10**400} %"),
        ("cpu", math.nan, "nan", "nan %"),
        ("latency", [1], "[1]", "[1] ms"),
    ],
)
def test_a_value_is_shown_with_its_decimals_and_whatever_else_as_it_is(
    key: str, value: object, shown: str, with_unit: str
) -> None:
    assert METRICS[key].show(value) == shown
    assert METRICS[key].show(value, with_unit=True, currency="EUR") == with_unit


def test_no_currency_is_no_unit() -> None:
    assert METRICS["pnl"].show(1.0, with_unit=True) == "1.00"


# --- thresholds ---


def test_every_threshold_is_beyond_what_is_typical() -> None:
    for metric in CATALOGUE:
        for line in metric.thresholds.lines:
            assert (line > metric.typical) == (metric.thresholds.worse is Worse.ABOVE), metric.key


@pytest.mark.parametrize(
    ("warn", "critical", "worse"),
    [(90, 80, Worse.ABOVE), (80, 80, Worse.ABOVE), (0.5, 0.6, Worse.BELOW), (math.nan, None, Worse.ABOVE)],
)
def test_thresholds_that_make_no_sense_stop_the_start(warn: float | None, critical: float | None, worse: Worse) -> None:
    with pytest.raises(ValueError, match=r"critical|finite"):
        Thresholds(warn, critical, worse)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("accuracy", {"thresholds": Thresholds(critical=65, worse=Worse.BELOW)}),  # percents
        ("regime", {"thresholds": Thresholds(warn=1)}),
        ("cpu", {"shown_decimals": 3}),
        ("cpu", {"shown_decimals": -1}),
    ],
)
def test_a_declaration_that_cannot_be_meant_names_its_metric(key: str, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{key}: "):
        dataclasses.replace(METRICS[key], **change)


# --- Redis's answers ---


def answers(group: Group, **given: Answer) -> dict[str, Answer]:
    return {key: given.get(key.replace(":", "__")) for key in keys_of(group)}


def read_ai(**given: Answer) -> Reading:
    return compose_reading(Group.AI, answers(Group.AI, **given), now=NOW, max_age_s=30)


def test_what_is_absent_is_missing_and_null() -> None:
    reading = read_ai(ai__latency=b"5")
    assert reading.values["latency"] == 5
    assert reading.values["accuracy"] is None
    assert reading.problems == dict.fromkeys(("accuracy", "sharpe", "regime"), Problem.MISSING)


def test_another_type_is_invalid_not_missing() -> None:
    assert read_ai(ai__latency=Exception("WRONGTYPE")).problems["latency"] is Problem.INVALID


def test_sharpe_is_read_from_portfolio_only_where_ai_has_none() -> None:
    assert read_ai(ai__sharpe=b"1", portfolio__sharpe=b"2").values["sharpe"] == 1
    assert read_ai(portfolio__sharpe=b"2").values["sharpe"] == 2
    assert read_ai(ai__sharpe=b"x", portfolio__sharpe=b"2").problems["sharpe"] is Problem.INVALID


@pytest.mark.parametrize(
    ("heartbeat", "observed", "is_stale"),
    [
        (None, None, False),
        (str(NOW).encode(), NOW, False),
        (str(NOW - 29.9).encode(), NOW - 29.9, False),
        (str(NOW - 30.1).encode(), NOW - 30.1, True),
        (str(NOW + 29).encode(), NOW + 29, False),
        (str(NOW + 31).encode(), NOW + 31, True),
        (str(NOW * 1000).encode(), None, True),
        (b"soon", None, True),
        (Exception("WRONGTYPE"), None, True),
    ],
)
def test_a_heartbeat_tells_the_age_or_makes_stale(heartbeat: Answer, observed: float | None, is_stale: bool) -> None:
    assert judge_heartbeat(heartbeat, now=NOW, max_age_s=30) == (observed, is_stale)


def test_stale_keeps_the_value_and_missing_stays_missing() -> None:
    reading = read_ai(ai__latency=b"5", ai__updated_at=b"1")
    assert (reading.values["latency"], reading.problems["latency"]) == (5, Problem.STALE)
    assert reading.problems["accuracy"] is Problem.MISSING


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:secret@host:7000/2", "redis://host:7000/2"),
        ("rediss://:secret@host?password=secret", "rediss://host:6379"),
        ("redis://:secret@[::1]:6379/0", "redis://[::1]:6379/0"),
        ("unix://:secret@/run/redis.sock?db=1", "unix:///run/redis.sock"),
    ],
)
def test_an_address_for_people_has_no_password(url: str, shown: str) -> None:
    assert safe_address(url) == shown


# --- the snapshot ---


def compose(**choices: SourceChoice) -> tuple[str, dict[str, object]]:
    readings = {group: Reading.failed(group, Problem.UNREACHABLE) for group in Group}
    chosen = {**DEFAULT_CHOICES, **{choice.group: choice for choice in choices.values()}}
    text = compose_snapshot(chosen, readings, id=NOW_MS, previous=NOW_MS - 3000, timestamp=NOW, interval=3.0).encode()
    return text, json.loads(text)


def test_the_message_has_the_contracts_keys_in_their_order() -> None:
    _, message = compose()
    assert tuple(message) == KEYS
    assert KEYS[:11] == (
        "timestamp",
        "datetime",
        "cpu",
        "ram",
        "containers",
        "accuracy",
        "latency",
        "sharpe",
        "pnl",
        "positions",
        "exposure",
    )
    assert message["datetime"] == "2024-12-26T00:54:20.000Z"


def test_what_no_source_answered_is_null_with_its_reason() -> None:
    text, message = compose()
    assert all(message[key] is None for key in METRICS)
    assert message["problems"] == dict.fromkeys(METRICS, "unreachable")
    assert find_violations(text)[1] == []


def test_fallbacks_stand_where_staff_want_them_and_stay_marked() -> None:
    text, message = compose(ai=SourceChoice(Group.AI, SourceKind.REDIS, use_fallbacks=True))
    assert (message["accuracy"], message["latency"], message["sharpe"]) == (0.72, 184, 1.14)
    assert message["problems"]["accuracy"] == "unreachable"  # type: ignore[index]
    assert message["pnl"] is None
    assert find_violations(text)[1] == []


def test_every_fallback_is_a_value_of_its_metric() -> None:
    assert all(metric.accept(metric.fallback) == metric.fallback for metric in CATALOGUE)


def test_fallbacks_replace_no_value_that_was_read() -> None:
    readings = {group: Reading.failed(group, Problem.MISSING) for group in Group}
    readings[Group.AI] = Reading(
        {"accuracy": 0.91, "latency": 0, "sharpe": None, "regime": "bear"}, {"sharpe": Problem.INVALID}
    )
    choices = {group: SourceChoice(group, SourceKind.REDIS, use_fallbacks=True) for group in Group}
    snapshot = compose_snapshot(choices, readings, id=NOW_MS, previous=None, timestamp=NOW, interval=3.0)
    assert {key: snapshot.values[key] for key in ("accuracy", "latency", "regime")} == {
        "accuracy": 0.91,
        "latency": 0,
        "regime": "bear",
    }
    assert snapshot.values["sharpe"] == METRICS["sharpe"].fallback


def test_a_number_that_json_does_not_have_is_never_encoded() -> None:
    readings = {group: Reading.failed(group, Problem.MISSING) for group in Group}
    readings[Group.SYSTEM] = Reading({"cpu": math.nan, "ram": 1.0, "containers": 1})
    snapshot = compose_snapshot(DEFAULT_CHOICES, readings, id=NOW_MS, previous=None, timestamp=NOW, interval=3.0)
    with pytest.raises(ValueError, match="not JSON compliant"):
        snapshot.encode()


def test_nothing_is_shown_as_minus_zero() -> None:
    assert math.copysign(1, float(parse_value(METRICS["pnl"], "-0.001"))) == 1


# --- what was encoded and is read again ---


def column_values(key: str) -> st.SearchStrategy[object]:
    kinds = {float: st.floats(allow_nan=False, allow_infinity=False), int: st.integers(-(2**53) + 1, 2**53 - 1)}
    return st.none() | kinds.get(METRICS[key].type, st.text(max_size=32))


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any snapshot that a publisher may compose."""
    values = {key: draw(column_values(key)) for key in METRICS}
    own = draw(st.integers(1, 2**53 - 1))
    return Snapshot(
        id=own,
        previous=draw(st.none() | st.integers(0, own - 1)),
        timestamp=draw(st.integers(0, 4 * 10**12)) / 1000,
        interval=draw(st.floats(0.05, 3600)),
        values=values,  # type: ignore[arg-type]
        sources={group: draw(st.sampled_from(group.kinds)) for group in Group},
        problems={key: draw(st.sampled_from(Problem)) for key, value in values.items() if value is None},
        observed=draw(st.dictionaries(st.just(Group.AI), st.floats(0, 4e9))),
    )


@given(snapshots())
def test_what_is_encoded_is_decoded_to_the_same_and_encoded_to_the_same_again(snapshot: Snapshot) -> None:
    text = snapshot.encode()
    assert decode_snapshot(text) == snapshot
    assert decode_snapshot(text).to_encoded(7) == (snapshot.id, snapshot.previous, 7, text)


@pytest.mark.parametrize(
    "change",
    [
        {"sources": {"system": "host", "ai": "kafka", "portfolio": "mock"}},
        {"problems": {"cpu": "tired"}},
        {"sources": ["mock"]},
        {"problems": None},
        {"observed": {"ai": "now"}},
        {"observed": {"ai": math.inf}},
        {"id": "1"},
        {"id": None},
        {"id": True},
        {"id": 2**63},
        {"previous": 1.5},
        {"timestamp": None},
        {"timestamp": math.nan},
        {"interval": "3"},
        {"cpu": "56"},
        {"cpu": math.inf},
        {"cpu": True},
        {"containers": 1.5},
        {"latency": 2**60},
        {"regime": 5},
        {"regime": "x" * 33},
    ],
)
def test_what_this_release_cannot_have_published_is_not_decoded(change: dict[str, object]) -> None:
    text, message = compose()
    assert decode_snapshot(text).encode() == text
    with pytest.raises(ValueError, match=r"."):
        decode_snapshot(json.dumps({**message, **change}))


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "{", '"text"', "[" * 100_000])
def test_what_is_no_snapshot_at_all_is_not_decoded(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_snapshot(text)


def test_what_another_release_had_is_left_out_or_missing() -> None:
    _, message = compose()
    del message["risk"]
    message["problems"] = {"cpu": "stale", "gone": "missing"}
    message["sources"] = {"system": "host", "portfolio": "mock", "orders": "kafka"}
    snapshot = decode_snapshot(json.dumps({**message, "gone": 5, "missed": {"after": 1, "before": 2}}))
    assert snapshot.problems["cpu"] is Problem.STALE
    assert snapshot.problems["risk"] is Problem.MISSING
    assert snapshot.sources == {Group.SYSTEM: SourceKind.HOST, Group.PORTFOLIO: SourceKind.MOCK}


# --- ids ---


@given(st.floats(0, 4e9), st.none() | st.integers(0, 5 * 10**12))
def test_ids_only_rise_and_are_the_timestamp_while_clocks_behave(now: float, last: int | None) -> None:
    found = next_id(last, now)
    stamp = to_ms(round(now, 3))  # what the snapshot has as its timestamp
    assert last is None or found > last
    assert found == (stamp if last is None or stamp > last else last + 1)
