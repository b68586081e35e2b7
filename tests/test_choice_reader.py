"""Staff's choice of sources, from a database that may hang, break, or always be a little too slow."""

import asyncio
import math
import threading
import time
from collections.abc import Callable

import pytest
from django.db import OperationalError, transaction

from metrics import choice_reader
from metrics.catalogue import Group, SourceKind
from metrics.choice_reader import ChoiceReader, ReadChoices, read_choices
from metrics.choices import DEFAULT_CHOICES, Choices, SourceChoice
from metrics.database_thread import DatabaseThread
from metrics.inquiry import Inquiry
from metrics.models import DataSource
from tests.test_inquiry import until

pytestmark = pytest.mark.usefixtures("no_database_file")

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
