"""Those who catch up: a few at once, and whoever does not read keeps nobody else from what they lack."""

import asyncio

import pytest

from streaming.delivery import catch_up
from streaming.delivery.hub import Hub
from streaming.delivery.sending import AsgiSender, MakeSender, SteppingSender
from tests.hubs import make_frame, make_hub
from tests.test_hub import Connection, publish, run, until
from tests.test_hub_sequence import Past


def make_stuck(count: int) -> list[Connection]:
    """Connections whose sockets take nothing."""
    connections = [Connection() for _ in range(count)]
    for connection in connections:
        connection.fill()
    return connections


def join_all(hub: Hub, connections: list[Connection], since: int = 0) -> None:
    for connection in connections:
        hub.join(connection.send, since=since)


@pytest.mark.parametrize("make_sender", [SteppingSender, AsgiSender])
def test_clients_that_read_nothing_keep_nobody_from_what_they_lack(
    make_sender: MakeSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catch_up, "SERVED", 2)
    monkeypatch.setattr(catch_up, "SERVED_S", 0.01)

    async def scenario() -> None:
        hub = Hub(make_sender=make_sender)
        await publish(hub, *range(1, 101))
        stuck, quick = make_stuck(20), Connection()
        join_all(hub, stuck)
        hub.join(quick.send, since=0)
        await until(lambda: quick.ids == [*range(1, 101)])
        assert not any(connection.events for connection in stuck)
        for connection in stuck:
            connection.drain()
        await until(lambda: all(connection.ids == [*range(1, 101)] for connection in stuck))

    run(scenario)


@pytest.mark.parametrize("make_sender", [SteppingSender, AsgiSender])
def test_clients_that_read_nothing_keep_nobody_from_the_past(
    make_sender: MakeSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight that did not read kept everybody else from history until they were closed, 30 s later."""
    monkeypatch.setattr(catch_up, "SERVED_S", 0.01)

    async def scenario() -> None:
        hub = Hub(keep=3, past=Past(*map(make_frame, range(1, 501))), make_sender=make_sender)
        await publish(hub, *range(499, 501))
        stuck, quick = make_stuck(3 * catch_up.READERS), Connection()
        join_all(hub, stuck)
        hub.join(quick.send, since=0)
        await until(lambda: quick.ids == [*range(1, 501)])
        for connection in stuck:
            connection.drain()
        await until(lambda: all(connection.ids == [*range(1, 501)] for connection in stuck))
        assert not any(connection.holes for connection in [*stuck, quick])

    run(scenario)


def test_a_past_that_hangs_keeps_nobody_from_what_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "SERVED", 2)
    monkeypatch.setattr(catch_up, "SERVED_S", 0.01)

    async def scenario() -> None:
        past = Past(*map(make_frame, range(1, 11)))
        past.may_answer.clear()
        hub, quick = make_hub(past=past), Connection()
        await publish(hub, *range(8, 11))
        far_behind = [Connection() for _ in range(20)]
        join_all(hub, far_behind)
        hub.join(quick.send, since=8)
        await until(lambda: quick.ids == [9, 10])
        past.may_answer.set()
        await until(lambda: all(connection.ids == [*range(1, 11)] for connection in far_behind))

    run(scenario)


def test_only_a_few_are_sent_to_at_once_and_each_until_it_has_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "SERVED", 4)
    monkeypatch.setattr(catch_up, "SERVED_S", 60.0)

    async def scenario() -> None:
        hub = make_hub()
        await publish(hub, *range(1, 101))
        slow = make_stuck(10)
        join_all(hub, slow)
        await until(lambda: hub.catching_up == 6)
        for connection in slow[:4]:
            connection.drain()
        await until(lambda: hub.catching_up == 2)
        assert all(connection.ids == [*range(1, 101)] for connection in slow[:4])
        assert not any(connection.events for connection in slow[4:])
        for client in tuple(hub.clients):
            hub.leave(client)
        newcomer = Connection()
        hub.join(newcomer.send, since=90)
        await until(lambda: newcomer.ids == [*range(91, 101)])  # who leaves makes room

    run(scenario)


def test_who_lacks_little_does_not_wait_for_those_who_lack_much() -> None:
    async def scenario() -> None:
        hub = make_hub()
        hub._catch_up._slice_s = 0.0
        await publish(hub, *range(1, 201))
        many, late = [Connection() for _ in range(50)], Connection()
        join_all(hub, many)
        hub.join(late.send, since=195)
        while late.ids != [*range(196, 201)]:  # noqa: ASYNC110 - each turn
            await asyncio.sleep(0)
        assert not any(connection.ids == [*range(1, 201)] for connection in many)
        await until(lambda: all(connection.ids == [*range(1, 201)] for connection in many))

    run(scenario)


def test_who_leaves_while_the_past_is_sent_leaves_no_task_behind() -> None:
    async def scenario() -> None:
        before = asyncio.all_tasks()
        hub = Hub(keep=3, past=Past(*map(make_frame, range(1, 501))))
        await publish(hub, 500)
        (stuck,) = make_stuck(1)
        client = hub.join(stuck.send, since=0)
        await until(lambda: client.after > 0)
        hub.leave(client)
        await until(lambda: asyncio.all_tasks() == before)

    run(scenario)
