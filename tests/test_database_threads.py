"""Threads that ask a database, each on a connection of its own."""

import asyncio
import threading
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from metrics.choice_reader import read_choices
from metrics.daemon_thread import DaemonThread, join_closed
from metrics.database_thread import DatabaseThread
from metrics.history.reader import HistoryReader
from metrics.models import DataSource
from metrics.plain_sql import execute, fetch_all, find_placeholder, own_connection

pytestmark = pytest.mark.usefixtures("no_database_file")


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
