"""A ledger finds every loss, double, fork and untold hole, and nothing where there is none."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streaming.ledger import Entry, Ledger, compare

#: The ids of what was published, in order.
sequences = st.lists(st.integers(1, 10_000), min_size=3, max_size=40, unique=True).map(sorted)


def make_message(own: int, previous: int | None, **more: Any) -> dict[str, Any]:
    return {"timestamp": own / 1000, "cpu": 1.5, "id": own, "previous": previous, **more}


def publish(ids: list[int]) -> list[dict[str, Any]]:
    """The messages of one true sequence."""
    return [make_message(own, before) for before, own in zip([None, *ids], ids, strict=False)]


def rows_of(messages: list[dict[str, Any]]) -> list[Entry]:
    return [Entry(message["id"], message["previous"]) for message in messages]


def keep_ledger(messages: list[dict[str, Any]], after: int | None = None) -> Ledger:
    ledger = Ledger(after)
    for message in messages:
        ledger.note(message)
    return ledger


@given(sequences, st.data())
def test_a_client_that_receives_everything_from_somewhere_on_has_nothing_to_complain_of(
    ids: list[int], data: st.DataObject
) -> None:
    messages = publish(ids)
    start = data.draw(st.integers(0, len(ids) - 1))
    ledger = Ledger(ids[start - 1] if start else None)
    assert [ledger.note(message) for message in messages[start:]] == [[]] * (len(ids) - start)
    assert compare([ledger], rows_of(messages)).is_true_sequence


@given(sequences, st.data())
def test_each_snapshot_left_out_without_a_word_is_lost(ids: list[int], data: st.DataObject) -> None:
    messages = publish(ids)
    first = data.draw(st.integers(1, len(ids) - 2))
    last = data.draw(st.integers(first, len(ids) - 2))
    ledger = keep_ledger(messages[:first])
    violations = ledger.note(messages[last + 1])
    found = compare([ledger], rows_of(messages))
    assert "untold hole" in violations[0]
    assert found.lost == set(ids[first : last + 1])
    assert found.untold == 1


@given(sequences, st.data())
def test_a_hole_that_is_told_is_no_violation_and_is_counted(ids: list[int], data: st.DataObject) -> None:
    messages = publish(ids)
    place = data.draw(st.integers(1, len(ids) - 2))
    missed = {"after": ids[place - 1], "before": ids[place + 1]}
    ledger = keep_ledger(messages[:place])
    assert ledger.note({**messages[place + 1], "missed": missed}) == []
    found = compare([ledger], rows_of(messages))
    assert found.is_true_sequence
    assert (found.told, found.holes_told) == ({ids[place]}, 1)


def test_a_fork_that_is_told_is_none_that_is_untold_and_what_nobody_keeps_is_still_named() -> None:
    messages = [make_message(10, None), make_message(20, 10), make_message(30, 10, missed={"after": 20, "before": 30})]
    ledger = Ledger()
    assert [ledger.note(message) for message in messages] == [[], [], []]
    found = compare([ledger], rows_of([messages[0], messages[2]]))
    assert (found.untold, found.holes_told, found.unkept) == (0, 1, {20})
    assert found.sentences == ["client 1: received, but not kept: 20"]
    untold = Ledger()
    untold.note(messages[1])
    assert untold.note(make_message(30, 10)) == ["fork: 30 follows 10, but 20 was received between them"]


@given(sequences, st.data())
def test_what_comes_twice_or_late_is_doubled(ids: list[int], data: st.DataObject) -> None:
    messages = publish(ids)
    ledger = keep_ledger(messages)
    again = data.draw(st.sampled_from(messages))
    assert ledger.note(again) == [f"id {again['id']} came after {ids[-1]}"]
    found = compare([ledger], rows_of(messages))
    assert found.doubled == {again["id"]}
    assert not found.is_true_sequence


@given(sequences, st.data())
def test_what_is_received_and_not_kept_is_named(ids: list[int], data: st.DataObject) -> None:
    messages = publish(ids)
    gone = data.draw(st.integers(1, len(ids) - 1))
    found = compare([keep_ledger(messages)], rows_of(messages[:gone] + messages[gone + 1 :]))
    assert found.unkept == {ids[gone]}
    assert found.unlinked == set(ids[gone + 1 : gone + 2])


@given(sequences, st.data())
def test_two_clients_that_got_different_snapshots_with_one_id_are_found(ids: list[int], data: st.DataObject) -> None:
    messages = publish(ids)
    place = data.draw(st.integers(0, len(ids) - 1))
    others = [*messages[:place], {**messages[place], "cpu": 2.5}, *messages[place + 1 :]]
    found = compare([keep_ledger(messages), keep_ledger(others)], rows_of(messages))
    assert found.differing == {ids[place]}


@given(sequences)
def test_a_fork_is_told_from_a_hole(ids: list[int]) -> None:
    messages = publish(ids)
    fork = make_message(ids[-1] + 1, ids[-2])
    violations = keep_ledger(messages).note(fork)
    assert violations[0].startswith("fork")
    found = compare([], rows_of([*messages, fork]))
    assert found.unlinked == {fork["id"]}


@given(sequences, st.data())
def test_a_break_that_the_publisher_names_is_told(ids: list[int], data: st.DataObject) -> None:
    messages = publish(ids)
    place = data.draw(st.integers(1, len(ids) - 1))
    messages[place]["previous"] = None
    ledger = keep_ledger(messages)
    assert [hole.how for hole in ledger.holes] == ["break"]
    assert compare([ledger], rows_of(messages)).is_true_sequence


@given(sequences, st.data())
def test_a_cursor_is_where_a_ledger_begins(ids: list[int], data: st.DataObject) -> None:
    messages = publish(ids)
    cursor = data.draw(st.integers(0, len(ids) - 2))
    joined = data.draw(st.integers(cursor + 1, len(ids) - 1))
    assume(joined > cursor + 1)
    found = compare([keep_ledger(messages[joined:], after=ids[cursor])], rows_of(messages))
    assert found.lost == set(ids[cursor + 1 : joined])


@given(sequences)
def test_what_was_deleted_for_its_age_is_not_judged(ids: list[int]) -> None:
    messages = publish(ids)
    assert compare([keep_ledger(messages)], rows_of(messages[2:])).is_true_sequence


@pytest.mark.parametrize("message", [{}, {"id": "5", "previous": None}, {"id": 5, "previous": 4.5}])
def test_what_has_no_place_is_a_violation(message: dict[str, Any]) -> None:
    assert "not two ids" in Ledger().note(message)[0]


def test_what_is_told_of_a_hole_must_be_its_two_ends() -> None:
    ledger = keep_ledger(publish([10, 20]))
    assert "missed is" in ledger.note(make_message(50, 40, missed={"after": 10, "before": 50}))[0]


def test_of_many_violations_some_are_shown_and_the_rest_is_counted() -> None:
    messages = publish([*range(1000, 1100)])
    found = compare([keep_ledger(messages)], rows_of(messages[:1]))
    assert len(found.sentences) == 21
    assert found.sentences[-1].endswith("and 79 more")
