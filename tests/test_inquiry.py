"""A question that may hang: asked once at a time, and what is answered late is not lost."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from django.db import OperationalError

from metrics.inquiry import Inquiry


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not claim():  # noqa: ASYNC110 - any claim, polled
            await asyncio.sleep(0)


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


def test_one_question_is_under_way_at_most_and_its_answer_is_shared() -> None:
    async def run() -> None:
        asked: list[asyncio.Future[str]] = []

        async def ask() -> str:
            asked.append(asyncio.get_running_loop().create_future())
            return await asked[-1]

        inquiry = Inquiry(ask)
        first, second = (asyncio.create_task(inquiry.answer(20)) for _ in range(2))
        await until(lambda: len(asked) == 1)
        with pytest.raises(TimeoutError):
            await inquiry.answer(0)
        assert len(asked) == 1
        asked[0].set_result("the first answer")
        assert [await first, await second] == ["the first answer"] * 2

        again = asyncio.create_task(inquiry.answer(20))
        await until(lambda: len(asked) == 2)
        asked[1].set_result("the second answer")
        assert await again == "the second answer"
        assert len(asked) == 2

    asyncio.run(run())


def test_a_question_that_fails_says_so_to_who_asked_and_is_asked_again() -> None:
    async def run() -> None:
        answers: Iterator[OSError | int] = iter([OSError("away"), 7])

        async def ask() -> int:
            answer = next(answers)
            if isinstance(answer, OSError):
                raise answer
            return answer

        inquiry = Inquiry(ask)
        with pytest.raises(OSError, match="away"):
            await inquiry.answer(1)
        assert await inquiry.answer(1) == 7

    asyncio.run(run())


def test_after_one_has_waited_in_vain_nobody_waits_for_the_same_call_again() -> None:
    async def run() -> None:
        never = asyncio.Event()
        inquiry = Inquiry(never.wait)
        with pytest.raises(TimeoutError):
            await inquiry.answer(0.01)
        async with asyncio.timeout(10):  # 30 s of patience are not used
            with pytest.raises(TimeoutError, match="no answer in time"):
                await inquiry.answer(30)
        await inquiry.aclose()

    asyncio.run(run())
