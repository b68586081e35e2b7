"""Where history is written to: nothing of a publisher whose term was over gets in, and the oldest are deleted."""

import pytest

from metrics.history.horizon import Horizon
from metrics.history.store import Entry, find_oldest_ms, prune, write
from metrics.models import SnapshotRecord
from metrics.snapshot import Snapshot
from tests.test_history import START, START_ID, make_snapshot, store


def stored_ids() -> list[int]:
    return list(SnapshotRecord.objects.order_by("id").values_list("id", flat=True))


def link(own: int, previous: int | None = None, term: int = 1) -> Entry:
    """A snapshot with a small id, published in `term`."""
    empty = make_snapshot(START, place=own)
    return (
        Snapshot(own, previous, START + own, 3.0, empty.values, empty.sources, empty.problems, empty.observed),
        term,
    )


# --- the fence ---


@pytest.mark.django_db
def test_nothing_of_an_older_term_gets_in_after_a_newer_one_unless_it_was_continued() -> None:
    """10 was stored, 11 and 12 wait at a slow writer; the successor continued 11. 12 was published by nobody."""
    assert write([link(10)]) == []
    successor = link(13, 11, term=2)
    assert write([successor]) == []
    assert write([link(11, 10), link(12, 11)]) == [link(12, 11)]
    assert stored_ids() == [10, 11, 13]


@pytest.mark.django_db
def test_whoever_was_continued_by_one_of_the_batch_gets_in_with_it() -> None:
    write([link(20, 14, term=2)])
    assert write([link(n, n - 1) for n in range(11, 15)]) == []
    assert write([link(15, 14), link(16, 15), link(21, 20)]) == [link(15, 14), link(16, 15), link(21, 20)]
    assert stored_ids() == [11, 12, 13, 14, 20]


@pytest.mark.django_db
def test_a_batch_that_holds_two_terms_is_judged_by_itself() -> None:
    assert write([link(10), link(11, 10), link(12, 10, term=2)]) == [link(11, 10)]
    assert stored_ids() == [10, 12]


@pytest.mark.django_db
def test_what_is_there_already_is_not_refused_but_another_one_with_its_id_is() -> None:
    write([link(10), link(11, 10), link(12, 11, term=2)])
    assert write([link(10), link(11, 10), link(12, 11, term=2)]) == []
    assert write([link(12, 10)]) == [link(12, 10)]
    assert write([link(12, 10, term=3)]) == [link(12, 10, term=3)]
    assert stored_ids() == [10, 11, 12]


@pytest.mark.django_db
def test_one_alone_is_judged_as_a_batch_is() -> None:
    assert write([link(20, 19, term=2)]) == []
    assert write([link(21, 20)]) == [link(21, 20)]
    assert write([link(19, 18, term=2)]) == []
    assert write([link(22, 20, term=3)]) == []
    assert stored_ids() == [19, 20, 22]


# --- retention ---


@pytest.mark.django_db
def test_pruning_deletes_the_oldest_by_their_time_in_small_steps() -> None:
    store(*(make_snapshot(START + n) for n in range(450)))
    store(make_snapshot(START - 5, place=START_ID + 10**7))  # published last, by a clock that was set back
    assert find_oldest_ms() == START_ID - 5000
    assert prune(START_ID, 200) == 1
    assert [prune(START_ID + 420_000, 200) for _ in range(4)] == [200, 200, 20, 0]
    assert stored_ids() == [START_ID + 1000 * n for n in range(420, 450)]


def test_the_horizon_follows_the_clock_as_long_as_it_behaves_and_a_jump_only_slowly() -> None:
    horizon = Horizon()
    assert horizon.advance(500_000, 400_000, now_s=0) == 400_000  # nothing at first
    assert horizon.advance(501_000, 400_000, now_s=1) == 460_000  # a minute in a second
    assert horizon.advance(560_000, 460_000, now_s=60) == 560_000
    assert horizon.advance(620_000, 560_000, now_s=120) == 620_000
    assert horizon.advance(10**12, 620_000, now_s=121) == 680_000  # the clock jumps: a minute in a second
    assert horizon.advance(622_000, 680_000, now_s=122) == 622_000  # and back


def test_the_horizon_passes_at_once_what_is_empty() -> None:
    """One row of a clock that stood at 1970, and then nothing for decades."""
    horizon = Horizon()
    assert horizon.advance(10**12, 1000, now_s=0) == 1000
    assert horizon.advance(10**12, 1000, now_s=1) == 61_000
    assert horizon.advance(10**12, 9 * 10**11, now_s=61) == 9 * 10**11 + 3_600_000
