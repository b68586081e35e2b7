"""The check of the wire contract: it names each way to break it, and nothing that a server sends breaks the check."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.catalogue import CATALOGUE, METRICS, Group
from metrics.choices import DEFAULT_CHOICES
from metrics.reading import Problem, Reading
from metrics.snapshot import KEYS, compose_snapshot, next_id
from streaming.contract import find_remarks, find_violations

START = 1_735_174_460.0


START_ID = 1_735_174_460_000


def make_message(
    timestamp: float = START, previous: int | None = START_ID - 3000, *, place: int | None = None, **more: Any
) -> dict[str, Any]:
    """A good message: every metric has its fallback's value and no problem. Its id is its time, or `place`."""
    readings = {
        group: Reading({metric.key: metric.fallback for metric in CATALOGUE if metric.group is group})
        for group in Group
    }
    snapshot = compose_snapshot(
        DEFAULT_CHOICES,
        readings,
        id=next_id(None, timestamp) if place is None else place,
        previous=previous,
        timestamp=timestamp,
        interval=3.0,
    )
    return {**json.loads(snapshot.encode()), **more}


def violations(text: str, before: dict[str, Any] | None = None) -> str:
    return "\n".join(find_violations(text, before)[1])


def test_good_messages_in_sequence_break_nothing() -> None:
    first, second = make_message(), make_message(START + 3.2, START_ID)
    assert violations(json.dumps(first)) == ""
    assert violations(json.dumps(second), first) == ""
    assert violations(json.dumps(make_message(START, None))) == ""


@pytest.mark.parametrize("text", ["", "{", "cpu", "\x00", '{"timestamp": 1,}'])
def test_what_is_not_json_is_told(text: str) -> None:
    assert "not JSON" in violations(text)


@pytest.mark.parametrize("text", ["[]", "null", "5", '"text"'])
def test_what_is_no_object_is_told(text: str) -> None:
    assert "not a JSON object" in violations(text)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_required(key: str) -> None:
    message = make_message()
    del message[key]
    assert f"no key {key!r}" in violations(json.dumps(message))


def test_the_order_of_keys_is_part_of_the_contract() -> None:
    message = make_message()
    assert "order" in violations(json.dumps(dict(reversed(message.items()))))
    swapped = {"datetime": message["datetime"], **message}
    assert "order" in violations(json.dumps(swapped))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"timestamp": "1735174460.0"}, "timestamp"),
        ({"timestamp": True}, "timestamp"),
        ({"timestamp": None}, "timestamp"),
        ({"timestamp": START + 0.0001}, "milliseconds"),
        ({"datetime": "2024-12-26T00:54:21.000Z"}, "datetime"),
        ({"datetime": "2024-12-26T00:54:20Z"}, "datetime"),
        ({"datetime": None}, "datetime"),
        ({"interval": "3"}, "interval"),
        ({"interval": 0}, "interval"),
        ({"interval": -3.0}, "interval"),
        ({"interval": None}, "interval"),
        ({"id": str(START_ID)}, "id is"),
        ({"id": START}, "id is"),
        ({"id": True}, "id is"),
        ({"id": None}, "id is"),
        ({"id": -1}, "id is"),
        ({"previous": START_ID}, "previous"),
        ({"previous": START_ID + 1}, "previous"),
        ({"previous": START - 3}, "previous"),
        ({"previous": "1735174457000"}, "previous"),
        ({"missed": None}, "missed"),
        ({"missed": {}}, "missed"),
        ({"missed": {"before": START_ID, "after": START_ID - 6000}}, "missed"),
        ({"missed": {"after": "1", "before": START_ID}}, "missed"),
        ({"missed": {"after": START_ID - 9000, "before": START_ID - 3000}}, "not from a lower id to this one"),
        ({"missed": {"after": START_ID, "before": START_ID}}, "not from a lower id to this one"),
        ({"missed": {"after": START_ID - 3000, "before": START_ID}}, "nothing came between"),
        ({"sources": []}, "objects"),
        ({"problems": None}, "objects"),
        ({"observed": "ai"}, "objects"),
        ({"sources": {"system": "host", "ai": "mock"}}, "sources"),
        ({"sources": {"system": "host", "ai": "mock", "portfolio": "guess"}}, "sources"),
        ({"sources": {"system": "host", "ai": "mock", "portfolio": "mock", "more": "mock"}}, "sources"),
        ({"problems": {"cpu": "tired"}}, "problems"),
        ({"problems": {"gpu": "missing"}}, "problems"),
        ({"observed": {"ai": "now"}}, "observed"),
        ({"observed": {"gpu": START}}, "observed"),
        ({"cpu": None}, "cpu is null without a reason"),
        ({"cpu": None, "problems": {"cpu": "stale"}}, "cpu is null without a reason"),  # stale keeps the value
        ({"cpu": "56.2"}, "cpu"),
        ({"cpu": True}, "cpu"),
        ({"cpu": [56.2]}, "cpu"),
        ({"cpu": 100.5}, "cpu"),
        ({"cpu": 56.123}, "cpu"),
        ({"containers": 7.0}, "containers"),
        ({"containers": 7.5}, "containers"),
        ({"latency": -1}, "latency"),
        ({"exposure": 62}, "exposure"),
        ({"sharpe": "1.21"}, "sharpe"),
        ({"regime": 1}, "regime"),
        ({"regime": ""}, "regime"),
        ({"regime": "x" * 33}, "regime"),
        ({"more": 1}, "unknown key 'more'"),
    ],
)
def test_each_break_is_named(change: dict[str, Any], complaint: str) -> None:
    assert complaint in violations(json.dumps({**make_message(), **change}))


@pytest.mark.parametrize("key", ["cpu", "sharpe", "regime", "timestamp", "interval"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_javascript_cannot_parse_is_a_break_wherever_it_stands(key: str, number: str) -> None:
    message = {**make_message(), key: "HERE"}
    assert violations(json.dumps(message).replace('"HERE"', number)) != ""


@pytest.mark.parametrize("problem", [problem for problem in Problem if problem is not Problem.STALE])
def test_null_with_its_reason_is_good(problem: Problem) -> None:
    assert violations(json.dumps({**make_message(), "cpu": None, "problems": {"cpu": problem}})) == ""


def make_older(group: Group) -> dict[str, Any]:
    """A message from before `group` existed."""
    message = make_message()
    del message["sources"][group]
    keys = [metric.key for metric in CATALOGUE if metric.group is group]
    return {**message, **dict.fromkeys(keys), "problems": dict.fromkeys(keys, "missing")}


@pytest.mark.parametrize("group", Group)
def test_a_group_that_did_not_exist_yet_has_no_source(group: Group) -> None:
    assert violations(json.dumps(make_older(group))) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"pnl": 1.0, "problems": dict.fromkeys(("positions", "exposure", "risk", "volatility"), "missing")},
        {"problems": dict.fromkeys(("pnl", "positions", "exposure", "risk", "volatility"), "unreachable")},
        {"observed": {"portfolio": START}},
        {"sources": {"ai": "mock"}},
        {"sources": {}, **dict.fromkeys(METRICS), "problems": dict.fromkeys(METRICS, "missing")},
    ],
)
def test_a_source_is_left_out_only_where_nothing_at_all_is_known_of_the_group(change: dict[str, Any]) -> None:
    assert "sources" in violations(json.dumps({**make_older(Group.PORTFOLIO), **change}))


def hole(after: int, before: int = START_ID + 9000) -> dict[str, Any]:
    return {"missed": {"after": after, "before": before}}


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (make_message(START, None), "is not after"),
        (make_message(START + 3, START_ID - 9, place=START_ID - 3), "is not after"),
        (make_message(START + 6, START_ID + 3000), "gap"),
        (make_message(START + 9, START_ID + 3000, **hole(START_ID - 3000)), "missed begins after"),
    ],
)
def test_order_and_gaps_are_judged_by_the_ids_alone(message: dict[str, Any], complaint: str) -> None:
    assert complaint in violations(json.dumps(message), make_message())


@pytest.mark.parametrize(
    ("message", "remark"),
    [
        (make_message(START + 3, START_ID), ""),
        (make_message(START + 6, START_ID), "spacing: 6.000 s after the one before, at an interval of 3 s"),
        (make_message(START + 0.5, START_ID), "spacing: 0.500 s"),
        (make_message(START - 3600, START_ID, place=START_ID + 1), "clock: set back, 3600.000 s before the one before"),
        (make_message(START + 3, None), "break: the publisher did not know"),
        (make_message(START + 9, START_ID + 6000, **hole(START_ID)), f"told hole: what came between {START_ID} and"),
        (
            make_message(START + 9, START_ID - 3000, **hole(START_ID)),
            f"told fork: {START_ID + 9000} follows {START_ID - 3000}, not {START_ID}",
        ),
    ],
)
def test_clocks_breaks_and_told_holes_are_worth_a_word_and_break_nothing(message: dict[str, Any], remark: str) -> None:
    assert violations(json.dumps(message), make_message()) == ""
    remarks = find_remarks(message, make_message())
    assert len(remarks) == bool(remark)
    assert remark in "".join(remarks)


def test_a_hole_is_told_on_the_first_message_of_a_connection_too() -> None:
    message = make_message(**hole(START_ID - 9000, START_ID))
    assert violations(json.dumps(message)) == ""
    assert "told hole" in "".join(find_remarks(message))


def test_the_key_of_a_hole_stands_last() -> None:
    message = make_message(**hole(START_ID - 9000, START_ID))
    assert "order" in violations(json.dumps({"missed": message["missed"], **message}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400) | st.just(1e300),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
provenance = st.dictionaries(st.sampled_from(["system", "ai", "portfolio", "cpu"]), json_values, max_size=3)


@given(st.dictionaries(st.sampled_from(KEYS), json_values | provenance, min_size=1, max_size=3), st.booleans())
def test_no_message_whatever_breaks_the_check_itself(change: dict[str, Any], after_another: bool) -> None:
    text = json.dumps({**make_message(), **change})
    message, found = find_violations(text, make_message(START - 3, None) if after_another else None)
    assert not message or set(message) >= set(KEYS)  # NaN and Infinity are no JSON: nothing to return
    assert all(isinstance(violation, str) and violation for violation in found)


@given(json_values, json_values)
def test_neither_does_a_message_after_a_broken_one(place: Any, interval: Any) -> None:
    change = {"timestamp": interval, "interval": interval, "id": place}
    before, _ = find_violations(json.dumps({**make_message(), **change}))
    message, found = find_violations(json.dumps(make_message()), before)
    if not found:
        find_remarks(message, before)
