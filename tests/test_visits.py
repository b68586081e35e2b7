"""Who is given how long to say what they want; see tests/test_limits.py for the servers."""

import asyncio

from streaming.limits.places import Places
from streaming.limits.visits import Deadlines, Visit, Visits


def begin(visits: Visits, number: int, aborted: list[int]) -> Visit:
    visit = visits.begin(("192.0.2.1", number), lambda: aborted.append(number))
    assert visit is not None
    return visit


def test_only_who_is_late_is_ended_and_each_in_turn() -> None:
    async def run() -> None:
        aborted: list[int] = []
        visits = Visits(Places(10, 0))
        visits.heads, visits.bodies = Deadlines(0.05), Deadlines(0.01)
        met, ended, late, later, reading = (begin(visits, number, aborted) for number in range(5))
        met.expect_body()
        met.meet()
        ended.end()
        reading.expect_body()  # has a deadline of its own, not the head's
        async with asyncio.timeout(20):
            while visits.late < 3:  # noqa: ASYNC110 - there is nothing else to wait for
                await asyncio.sleep(0.01)
        assert aborted == [4, 2, 3]
        for visit in (late, later, reading, met):
            visit.end()
        assert visits.places.taken == 0

    asyncio.run(run())


def test_who_speaks_again_is_given_time_again() -> None:
    async def run() -> None:
        aborted: list[int] = []
        visits = Visits(Places(10, 0))
        visits.heads = Deadlines(0.02)
        visit = begin(visits, 1, aborted)
        visit.meet()
        await asyncio.sleep(0.03)  # past the first one, and nothing was expected
        assert not aborted
        visit.expect_head()
        visit.expect_head()  # a second line of it does not begin anew
        async with asyncio.timeout(20):
            while not aborted:  # noqa: ASYNC110 - there is nothing else to wait for
                await asyncio.sleep(0.01)
        assert aborted == [1]

    asyncio.run(run())
