"""Asking a database that may hang, break, or always be a little too slow."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from metrics import choice_reader
from metrics.catalogue import Group, SourceKind
from metrics.choice_reader import ChoiceReader, ReadChoices, read_choices
from metrics.choices import DEFAULT_CHOICES, Choices, SourceChoice
from metrics.daemon_thread import DaemonThread, join_closed
from metrics.database_thread import DatabaseThread
from metrics.history.reader import HistoryReader
from metrics.inquiry import Inquiry
from metrics.models import DataSource
from metrics.plain_sql import execute, fetch_all, find_placeholder, own_connection


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not claim():  # noqa: ASYNC110 - any claim, polled
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _without_file(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked here is no file: that there is none is no fault."""
    if "django_db" not in request.keywords:
        monkeypatch.setattr("metrics.kept_connection.find_sqlite_file", lambda: None)


# --- one question under way, late answers used ---


async def let_it_arrive() -> None:
    """A few turns of the loop: what was answered is on its way through tasks and futures."""
    for _ in range(5):
        await asyncio.sleep(0)


class Question:
    """A question that is answered when the test says so."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[str]] = []

    async def __call__(self) -> str:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]


def test_an_answer_that_came_late_is_used_once_by_the_next_who_asks_and_asks_again() -> None:
    async def run() -> None:
        question = Question()
        inquiry = Inquiry(question)
        with pytest.raises(TimeoutError):
            await inquiry.answer(0.01)
        question.asked[0].set_result("first")
        await let_it_arrive()
        assert await inquiry.answer(0.01) == "first"
        assert len(question.asked) == 2
        with pytest.raises(TimeoutError):  # the second hangs, and the first was used
            await inquiry.answer(0.01)
        await inquiry.aclose()

    asyncio.run(run())


def test_an_answer_in_time_is_preferred_to_one_that_came_late() -> None:
    async def run() -> None:
        answers = iter(["late", "fresh", "again"])
        release = asyncio.Event()

        async def ask() -> str:
            answer = next(answers)
            if answer == "late":
                await release.wait()
            return answer

        inquiry = Inquiry(ask)
        with pytest.raises(TimeoutError):
            await inquiry.answer(0.01)
        release.set()
        await let_it_arrive()
        assert await inquiry.answer(5) == "fresh"
        assert await inquiry.answer(5) == "again"

    asyncio.run(run())


def test_an_answer_that_came_too_long_ago_is_not_used() -> None:
    async def run() -> None:
        question = Question()
        inquiry = Inquiry(question, keep_s=0.0)
        with pytest.raises(TimeoutError):
            await inquiry.answer(0.01)
        question.asked[0].set_result("old")
        await let_it_arrive()
        with pytest.raises(TimeoutError):
            await inquiry.answer(0.01)
        await inquiry.aclose()

    asyncio.run(run())


def test_a_failure_that_came_late_is_told_to_the_next_who_asks() -> None:
    async def run() -> None:
        question = Question()
        inquiry = Inquiry(question)
        with pytest.raises(TimeoutError):
            await inquiry.answer(0.01)
        question.asked[0].set_exception(OperationalError("database is locked"))
        await let_it_arrive()
        with pytest.raises(OperationalError, match="locked"):
            await inquiry.answer(0.01)
        await inquiry.aclose()

    asyncio.run(run())


def test_two_who_ask_at_once_again_and_again_get_answers_and_nothing_else() -> None:
    """One of them may ask anew between the answer and the moment at which the other one takes it."""

    async def run() -> None:
        number = 0

        async def ask() -> int:
            nonlocal number
            number += 1
            await asyncio.sleep(0)
            return number

        inquiry = Inquiry(ask)

        async def monitor(pauses: int) -> None:
            before = 0
            for _ in range(300):
                for _ in range(pauses):
                    await asyncio.sleep(0)
                answer = await inquiry.answer(20)
                assert answer >= before
                before = answer

        await asyncio.gather(*(monitor(pauses) for pauses in (0, 0, 1, 2, 3, 5)))

    asyncio.run(run())


# --- staff's choice ---

CHOSEN: Choices = {**DEFAULT_CHOICES, Group.AI: SourceChoice(Group.AI, SourceKind.REDIS)}


class SlowDatabase:
    """Answers after a while with what held when it was asked; counts the time in its own thread."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.choices = DEFAULT_CHOICES
        self.answered = 0

    def read(self) -> ReadChoices:
        asked_at, held = time.monotonic(), self.choices
        time.sleep(self.takes_s)
        self.answered += 1
        return ReadChoices(held, asked_at)


def test_a_choice_takes_effect_though_the_database_always_answers_after_the_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """15 ms, with 10 ms of patience; at the latest one tick later than with a fast database."""
    database = SlowDatabase(0.015)
    monkeypatch.setattr(choice_reader, "read_choices", database.read)

    async def run() -> None:
        reader = ChoiceReader()

        async def tick() -> Choices:
            answered = database.answered
            chosen = await reader.read(0.01)
            await until(lambda: database.answered > answered)
            await asyncio.sleep(0.002)  # the answer is on its way through the loop
            return chosen

        for _ in range(3):
            await tick()
        database.choices = CHOSEN
        ticks = [await tick(), await tick()]
        assert ticks[-1] == CHOSEN
        assert reader.age_s < 5
        await reader.aclose()

    asyncio.run(run())


def test_the_age_of_the_choice_grows_while_the_database_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    hang = threading.Event()

    def hanging() -> ReadChoices:
        hang.wait(20)
        return ReadChoices(CHOSEN, time.monotonic())

    monkeypatch.setattr(choice_reader, "read_choices", hanging)

    async def run() -> None:
        reader = ChoiceReader()
        for _ in range(3):
            before = reader.age_s
            assert await reader.read(0.001) == DEFAULT_CHOICES
            assert reader.age_s > before
        hang.set()
        async with asyncio.timeout(20):
            while await reader.read(0.01) != CHOSEN:
                pass
        assert reader.age_s < before + 20
        await reader.aclose()

    asyncio.run(run())


@pytest.mark.django_db(transaction=True)
def test_what_was_read_beside_a_write_serves_once_and_not_after_a_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def ask() -> ReadChoices:
        nonlocal asked
        asked += 1
        return read_choices()

    async def run() -> None:
        reader = ChoiceReader()
        monkeypatch.setattr(reader, "_ask", lambda: reader._thread.ask(ask))
        reader._inquiry = Inquiry(lambda: reader._ask(), keep_s=math.inf)
        thread = DatabaseThread("beside")

        async def tick(*, beside: bool = True) -> tuple[SourceKind, int]:
            """Which source portfolio has, and how often the database was asked for it until now."""
            choices = await reader.read(20)
            if beside:
                await thread.ask(reader.read_beside)
            return choices[Group.PORTFOLIO].kind, asked

        def switch(kind: SourceKind) -> None:
            """What is read beside before the switch is committed is what held until then."""
            before = read_choices().choices
            with transaction.atomic():
                assert DataSource.objects.get(group=Group.PORTFOLIO).switch(kind, by="somebody")
                reader._beside = ReadChoices(before, time.monotonic())

        assert await tick() == (SourceKind.MOCK, 1)  # nothing was read before
        assert await tick(beside=False) == (SourceKind.MOCK, 1)
        assert await tick() == (SourceKind.MOCK, 2)  # it serves once
        await thread.ask(lambda: switch(SourceKind.REDIS))
        assert await tick() == (SourceKind.REDIS, 3)
        assert await tick() == (SourceKind.REDIS, 3)
        await reader.aclose()
        thread.close()

    asyncio.run(run())


@pytest.mark.django_db(transaction=True)
def test_what_was_read_beside_the_write_before_the_last_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a database that fails then is asked by the reader itself."""

    async def run() -> None:
        reader = ChoiceReader()
        await reader.read(20)
        monkeypatch.setattr(choice_reader, "read_choices", lambda: ReadChoices(CHOSEN, time.monotonic()))
        reader.read_beside()
        slow = reader._beside
        assert await reader.read(20) == CHOSEN
        for choices, known_at in ((CHOSEN, 900), (DEFAULT_CHOICES, 0)):
            reader._beside = ReadChoices(choices, time.monotonic() + known_at)
            assert (reader.age_s < -800) == (choices is CHOSEN)  # it is as new as the last time that it was said
        monkeypatch.setattr(choice_reader, "read_choices", lambda: ReadChoices(DEFAULT_CHOICES, time.monotonic()))
        reader._beside = slow  # it came late, from a write that hung
        assert await reader.read(20) == DEFAULT_CHOICES

        def fail() -> ReadChoices:
            raise OperationalError("locked")

        monkeypatch.setattr(choice_reader, "read_choices", fail)
        reader.read_beside()
        monkeypatch.setattr(choice_reader, "read_choices", lambda: ReadChoices(CHOSEN, time.monotonic()))
        assert await reader.read(20) == CHOSEN
        await reader.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("failure", [OperationalError("locked"), ValueError("a kind that a newer release knows")])
def test_reading_beside_a_write_raises_nothing_and_makes_a_pause_where_it_fails_or_is_slow(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """What it raised would be taken for a write that failed, and what it waited for would hold up history."""
    read: list[str] = []
    works: dict[str, Callable[[], ReadChoices]] = {
        "fails": lambda: fail(failure),
        "is slow": lambda: time.sleep(0.3) or ReadChoices(CHOSEN, time.monotonic()),
        "is well": lambda: ReadChoices(CHOSEN, time.monotonic()),
    }
    monkeypatch.setattr(choice_reader, "BESIDE_SLOW_S", 0.2)

    def fail(error: Exception) -> ReadChoices:
        raise error

    async def run() -> None:
        reader = ChoiceReader()
        for name, work in works.items():
            monkeypatch.setattr(choice_reader, "read_choices", lambda name=name, work=work: read.append(name) or work())
            reader._beside, reader._beside_from = None, -math.inf
            for _ in range(3):
                reader.read_beside()
            assert (reader._beside is None) == (name == "fails")
        await reader.aclose()

    asyncio.run(run())
    assert read == ["fails", "is slow", "is well", "is well", "is well"]


def test_an_answer_that_comes_late_is_not_taken_for_newer_than_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was asked for hours ago, and all others since were read beside writes. Then the database hangs."""
    hang, hang_again = threading.Event(), threading.Event()
    holds = [hang, hang_again]

    def answer() -> ReadChoices:
        asked_at = time.monotonic()
        holds.pop(0).wait(20)
        return ReadChoices(DEFAULT_CHOICES, asked_at)

    monkeypatch.setattr(choice_reader, "read_choices", answer)

    async def run() -> None:
        reader = ChoiceReader()
        assert await reader.read(0.01) == DEFAULT_CHOICES
        hang.set()
        await until(lambda: reader._inquiry._call is not None and reader._inquiry._call.future.done())
        reader._beside = ReadChoices(CHOSEN, time.monotonic())
        assert await reader.read(0.01) == CHOSEN
        reader._beside = None
        assert await reader.read(0.01) == CHOSEN
        assert reader._failing_since is not None
        hang_again.set()
        await reader.aclose()

    asyncio.run(run())


def test_what_was_read_beside_a_write_long_ago_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice_reader, "read_choices", lambda: ReadChoices(CHOSEN, time.monotonic()))

    async def run() -> None:
        reader = ChoiceReader()
        for age_s, choices in (
            (choice_reader.BESIDE_FOR_S + 1, CHOSEN),
            (choice_reader.BESIDE_FOR_S - 1, DEFAULT_CHOICES),
        ):
            reader._read_at = reader._wanted_at = -math.inf
            reader._beside = ReadChoices(DEFAULT_CHOICES, time.monotonic() - age_s)
            assert await reader.read(20) == choices
        await reader.aclose()

    asyncio.run(run())


# --- the thread ---


def test_work_is_done_in_order_in_one_daemon_thread_though_its_asker_left() -> None:
    done: list[int] = []
    hold = threading.Event()

    def work(number: int) -> threading.Thread:
        if number == 0:
            hold.wait(20)
        done.append(number)
        return threading.current_thread()

    async def run() -> None:
        thread = DatabaseThread("test")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await thread.ask(lambda: work(0))
        second = thread.ask(lambda: work(1))
        await asyncio.sleep(0)
        hold.set()
        assert (await second).daemon
        assert await thread.ask(lambda: work(2)) is await second
        thread.close()

    asyncio.run(run())
    assert done == [0, 1, 2]


def test_what_a_thread_is_told_is_done_after_what_it_was_asked_and_wakes_nobody() -> None:
    done: list[str] = []

    async def run() -> None:
        thread = DaemonThread("test")
        asked = thread.ask(lambda: done.append("asked"))
        thread.tell(lambda: done.append("told"))
        thread.tell(lambda: done.remove("what is not there"))
        await asked
        await thread.ask(lambda: done.append("asked again"))
        thread.close()
        thread.tell(lambda: done.append("told too late"))
        join_closed(20)

    asyncio.run(run())
    assert done == ["asked", "told", "asked again"]


def test_the_end_waits_for_threads_that_were_closed_but_for_none_that_hangs() -> None:
    hold, has_begun = threading.Event(), threading.Event()

    def hang() -> None:
        has_begun.set()
        hold.wait(20)

    async def run() -> list[threading.Thread]:
        idle, hanging = DaemonThread("idle"), DaemonThread("hanging")
        threads = [await idle.ask(threading.current_thread), await hanging.ask(threading.current_thread)]
        stuck = hanging.ask(hang)
        has_begun.wait(20)
        idle.close()
        hanging.close()
        with pytest.raises(RuntimeError, match="closed"):
            await stuck
        join_closed(0.5)
        return threads

    ended, stays = asyncio.run(run())
    assert (ended.is_alive(), stays.is_alive()) == (False, True)
    hold.set()
    stays.join(20)
    assert not stays.is_alive()


def test_who_waits_for_a_thread_that_is_closed_is_told_so() -> None:
    hold = threading.Event()

    async def run() -> None:
        thread = DatabaseThread("test")
        waiting = [thread.ask(lambda: hold.wait(20)) for _ in range(2)]
        await asyncio.sleep(0.01)
        thread.close()
        assert all(isinstance(e, InterfaceError) for e in await asyncio.gather(*waiting, return_exceptions=True))
        with pytest.raises(InterfaceError, match="closed"):
            await thread.ask(lambda: None)
        hold.set()

    asyncio.run(run())


@pytest.mark.django_db(transaction=True)
def test_the_connection_stays_open_between_two_questions_and_is_closed_after_an_error() -> None:
    def own_connection() -> Any:
        read_choices()
        return connection.connection

    def fail() -> None:
        DataSource.objects.raw("SELECT nonsense FROM nowhere")[0]

    async def run() -> None:
        thread = DatabaseThread("test")
        first = await thread.ask(own_connection)
        assert await thread.ask(own_connection) is first
        with pytest.raises(OperationalError):
            await thread.ask(fail)
        assert await thread.ask(own_connection) is not None
        thread.close()

    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL raises another error")
    asyncio.run(run())


@pytest.mark.django_db(transaction=True)
def test_plain_sql_fails_as_djangos_does_and_is_asked_on_each_threads_own_connection() -> None:
    async def run() -> None:
        one, other = DatabaseThread("one"), DatabaseThread("other")
        connections = [
            await thread.ask(lambda: (execute("SELECT 1").fetchall(), own_connection())) for thread in (one, other)
        ]
        assert [rows for rows, _ in connections] == [[(1,)], [(1,)]]
        assert connections[0][1] is not connections[1][1]
        mark = find_placeholder()
        with pytest.raises(DatabaseError, match="nowhere"):
            await one.ask(lambda: execute(f"SELECT * FROM nowhere WHERE id = {mark}", [1]))
        assert await one.ask(lambda: execute(f"SELECT {mark} + 1", [1]).fetchone()[0]) == 2
        one.close()
        other.close()

    asyncio.run(run())


@pytest.mark.django_db(transaction=True)
def test_a_row_that_cannot_be_fetched_is_djangos_error_too() -> None:
    damaged = {"sqlite": "SELECT CAST(x'ff' AS TEXT)", "postgresql": "SELECT 1/0"}[connection.vendor]
    with pytest.raises(DatabaseError):
        fetch_all(damaged)
    assert fetch_all("SELECT 1") == [(1,)]


def test_questions_to_history_that_hangs_do_not_pile_up() -> None:
    """Each waits for the one under way, and of those that gave up nothing is left to be done."""
    hold = threading.Event()
    asked: list[int] = []

    def read(number: int) -> int:
        asked.append(number)
        hold.wait(20)
        return number

    async def run() -> None:
        reader = HistoryReader()
        for number in range(20):
            with pytest.raises(TimeoutError, match="history did not answer"):
                await reader._ask(lambda number=number: read(number), 0.002)  # type: ignore[misc]
        hold.set()
        assert await asyncio.gather(*(reader._ask(lambda n=n: read(n), 20) for n in (100, 101))) == [100, 101]  # type: ignore[misc]
        reader.close()

    asyncio.run(run())
    assert asked == [0, 100, 101]
