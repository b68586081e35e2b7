"""The writer: what is published is stored, once, in order, and nothing of a publisher whose term was over."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from metrics.history import writer as writing
from metrics.history.horizon import SPEED
from metrics.history.journal import Journal
from metrics.history.store import DatabaseStore, Entry, Refused, write
from metrics.history.writer import HistoryWriter
from metrics.models import SnapshotRecord
from metrics.plain_sql import own_connection
from metrics.snapshot import Snapshot
from tests.test_history import START, START_ID, make_snapshot, store
from tests.test_history_store import link, stored_ids

Scenario = Callable[[HistoryWriter], Awaitable[None]]


class FlakyStore(DatabaseStore):
    """The database, as long as nothing is put in its way."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: Exception | None = None
        self.hangs: asyncio.Event | None = None
        self.batches: list[list[int]] = []

    async def write(self, batch: Sequence[Entry]) -> Refused:
        if self.hangs is not None:
            await self.hangs.wait()
        if self.failure is not None:
            raise self.failure
        refused = await super().write(batch)
        self.batches.append([snapshot.id for snapshot, _ in batch])
        return refused


def add(writer: HistoryWriter, snapshot: Snapshot, term: int) -> None:
    """Hand `snapshot` to `writer` as the publisher of the tenure `term` does."""
    writer.add(snapshot, snapshot.to_encoded(term))


def run_writer(scenario: Scenario, flaky: FlakyStore | None = None, **options: Any) -> None:
    """Run `scenario(writer)` on a loop, and close the writer."""

    async def run() -> None:
        writer = HistoryWriter(flaky or DatabaseStore(), retention_s=options.pop("retention_s", 1e9), **options)
        try:
            await scenario(writer)
        finally:
            await writer.aclose()

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - any condition, polled
            await asyncio.sleep(0.001)


async def end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


# --- waiting ---


@pytest.mark.django_db(transaction=True)
def test_what_waits_for_a_database_that_is_away_is_written_oldest_first_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "RETRY_S", 0.01)
    flaky = FlakyStore()
    flaky.failure = OperationalError("database is locked")

    async def scenario(writer: HistoryWriter) -> None:
        running = asyncio.create_task(writer.run())
        for n in range(500):
            add(writer, make_snapshot(START + n), 1)
        await until(lambda: bool(writer.error))
        assert "database is locked" in writer.error
        assert writer.waiting == 500
        assert writer.oldest_waiting_s > 0
        flaky.failure = None
        await until(lambda: not writer.waiting)
        assert writer.error == ""
        assert writer.oldest_waiting_s == 0
        await end(running)

    run_writer(scenario, flaky)
    assert list(chain.from_iterable(flaky.batches)) == [START_ID + 1000 * n for n in range(500)]
    assert stored_ids() == [START_ID + 1000 * n for n in range(500)]


@pytest.mark.django_db(transaction=True)
def test_what_is_to_be_done_beside_a_write_is_done_after_it_on_its_connection() -> None:
    seen: list[tuple[list[int], bool]] = []
    used: list[object] = []

    def note() -> None:
        seen.append((stored_ids(), own_connection() in used))

    async def run() -> None:
        writer = HistoryWriter(DatabaseStore(note), retention_s=1e9)
        used.append(await writer._store._thread.ask(own_connection))  # type: ignore[attr-defined]
        for n in range(2):
            add(writer, make_snapshot(START + n), 1)
            await writer.flush()
            await until(lambda n=n: len(seen) == n + 1)  # type: ignore[misc]
        await writer.aclose()

    asyncio.run(run())
    assert seen == [([START_ID], True), ([START_ID, START_ID + 1000], True)]


@pytest.mark.django_db(transaction=True)
def test_a_database_that_hangs_is_no_error_but_the_age_of_what_waits_grows() -> None:
    flaky = FlakyStore()

    async def scenario(writer: HistoryWriter) -> None:
        flaky.hangs = asyncio.Event()
        running = asyncio.create_task(writer.run())
        add(writer, make_snapshot(START), 1)
        await until(lambda: writer.oldest_waiting_s > 0.05)
        assert writer.error == ""
        flaky.hangs.set()
        await until(lambda: writer.oldest_waiting_s == 0)
        await end(running)

    run_writer(scenario, flaky)


@pytest.mark.django_db(transaction=True)
def test_only_past_the_bound_are_the_oldest_given_up_and_counted() -> None:
    async def scenario(writer: HistoryWriter) -> None:
        for n in range(15):
            add(writer, make_snapshot(START + n), 1)
        assert writer.waiting == 10
        assert writer.given_up == 5

    run_writer(scenario, capacity=10)
    assert stored_ids() == [START_ID + 1000 * n for n in range(5, 15)]


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_that_is_there_already_stays_as_it_is() -> None:
    store(make_snapshot(START, cpu=1.0))

    async def scenario(writer: HistoryWriter) -> None:
        add(writer, make_snapshot(START, cpu=2.0), 4)
        add(writer, make_snapshot(START + 1, cpu=3.0), 4)

    run_writer(scenario)
    assert list(SnapshotRecord.objects.order_by("id").values_list("cpu", flat=True)) == [1.0, 3.0]


@pytest.mark.django_db(transaction=True)
def test_one_snapshot_that_cannot_be_stored_costs_no_other_one() -> None:
    async def scenario(writer: HistoryWriter) -> None:
        for n in range(5):
            add(writer, make_snapshot(START + n, containers=2**70 if n == 2 else 7), 1)
        await writer.flush()
        assert (writer.waiting, writer.given_up) == (0, 1)

    run_writer(scenario)
    assert stored_ids() == [START_ID + 1000 * n for n in (0, 1, 3, 4)]


def test_a_prune_that_fails_is_an_error_until_one_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing is written: a standby does not stay degraded, nor is it told to be well each second."""
    monkeypatch.setattr(writing, "RETRY_S", 0.01)

    class Away(FlakyStore):
        asked = 0

        async def oldest_ms(self) -> int | None:
            self.asked += 1
            if self.failure is not None:
                raise self.failure
            return None

    flaky = Away()
    flaky.failure = OperationalError("away")

    async def scenario(writer: HistoryWriter) -> None:
        running = asyncio.create_task(writer.run())
        await until(lambda: flaky.asked > 5)
        assert writer.error.startswith("away")
        flaky.failure = None
        await until(lambda: not writer.error)
        await end(running)

    run_writer(scenario, flaky)


@pytest.mark.django_db(transaction=True)
def test_what_is_refused_is_counted_and_waits_no_more() -> None:
    write([link(12, 10, term=2)])

    async def scenario(writer: HistoryWriter) -> None:
        for entry in (link(11, 10), link(13, 11), link(14, 13)):
            add(writer, *entry)
        await writer.flush()
        assert (writer.refused, writer.waiting) == (3, 0)
        assert writer.is_fenced_off
        add(writer, *link(20, 14, term=2))
        await writer.flush()
        assert (writer.refused, writer.is_fenced_off) == (3, False)

    run_writer(scenario)
    assert stored_ids() == [12, 20]


# --- the journal ---


@pytest.mark.django_db(transaction=True)
def test_what_a_killed_process_had_published_is_written_by_the_next_one(tmp_path: Path) -> None:
    killed = Journal(tmp_path)
    left = [link(n, n - 1) for n in range(11, 61)]
    for snapshot, term in left:
        killed.append(snapshot.to_encoded(term))
    killed.close()  # as the end of a process does
    write([link(10), link(11, 10)])

    async def scenario(writer: HistoryWriter) -> None:
        assert writer.recover() == link(60, 59)[0].to_encoded(1)
        assert writer.recover() is None
        assert [message.id for message in writer.unwritten()] == list(range(11, 61))
        add(writer, *link(61, 60, term=2))
        running = asyncio.create_task(writer.run())
        await until(lambda: not writer.waiting)
        assert writer.recovered == 50
        await end(running)

    run_writer(scenario, journal=Journal(tmp_path))
    assert stored_ids() == list(range(10, 62))
    assert Journal(tmp_path).recover() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("hangs", [False, True])
def test_what_the_database_does_not_take_at_the_end_is_in_the_journal(
    tmp_path: Path, hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "LAST_TRY_S", 0.05)
    flaky = FlakyStore()

    async def scenario(writer: HistoryWriter) -> None:
        if hangs:
            flaky.hangs = asyncio.Event()
        else:
            flaky.failure = OperationalError("database is locked")
        for n in range(100):
            add(writer, *link(n + 1, n or None))

    run_writer(scenario, flaky, journal=Journal(tmp_path))
    assert stored_ids() == []

    async def next_start(writer: HistoryWriter) -> None:
        writer.recover()
        await writer.flush()

    run_writer(next_start, journal=Journal(tmp_path))
    assert stored_ids() == list(range(1, 101))


@pytest.mark.django_db(transaction=True)
def test_what_is_stored_is_not_in_the_journal_any_more(tmp_path: Path) -> None:
    journal = Journal(tmp_path)

    def sizes() -> list[int]:
        return [file.stat().st_size for file in tmp_path.iterdir()]

    async def scenario(writer: HistoryWriter) -> None:
        add(writer, *link(1))
        assert sizes() > [100]
        await writer.flush()
        assert sizes()[0] < 60  # the newest is named, no more

    run_writer(scenario, journal=journal)
    assert Journal(tmp_path).recover() == []


# --- retention ---


@pytest.mark.django_db(transaction=True)
def test_a_clock_that_is_ahead_for_a_while_deletes_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "PRUNE_EVERY_S", 0.0)
    store(*(make_snapshot(START + 60 * n) for n in range(100)))
    wall = START + 6000 + 10**6
    began = time.monotonic()

    async def scenario(writer: HistoryWriter) -> None:
        running = asyncio.create_task(writer.run())
        for n in range(20):
            add(writer, make_snapshot(wall + n), 4)
            await until(lambda: not writer.waiting)
        await end(running)

    run_writer(scenario, retention_s=3600, wall=lambda: wall)
    allowed = (
        SPEED * (time.monotonic() - began) / 60 + 41
    )  # and a row for each turn (two a snapshot), for what is empty is passed
    assert SnapshotRecord.objects.filter(id__lt=START_ID + 10**7).count() >= 100 - allowed
