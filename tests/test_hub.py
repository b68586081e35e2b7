"""The hub with connections that are nothing but a `send`: order, slowness, the end; test_delivery_properties.py adds
every interleaving."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.delivery.hub import Hub
from tests.hubs import make_frame, make_hub

Event = Mapping[str, Any]


class Connection:
    """Keeps what it was sent. `is_full`: its socket takes nothing until `drain` is called."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._may_send = asyncio.Event()
        self._may_send.set()

    async def send(self, event: Event) -> None:
        await self._may_send.wait()
        self.events.append(event)

    def fill(self) -> None:
        self._may_send.clear()

    def drain(self) -> None:
        self._may_send.set()

    @property
    def ids(self) -> list[int]:
        return [json.loads(event["text"])["id"] for event in self.events if event["type"] == "websocket.send"]

    @property
    def holes(self) -> list[dict[str, int]]:
        """What it was told that it cannot have."""
        said = [json.loads(event["text"]) for event in self.events if event["type"] == "websocket.send"]
        return [message["missed"] for message in said if "missed" in message]

    @property
    def codes(self) -> list[int]:
        return [event["code"] for event in self.events if event["type"] == "websocket.close"]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(bounded())


async def publish(hub: Hub, *numbers: int) -> None:
    for number in numbers:
        await hub.pass_on(make_frame(number))


async def until(claim: Callable[[], bool]) -> None:
    while not claim():  # noqa: ASYNC110 - any claim, polled; `run` bounds it
        await asyncio.sleep(0.001)


def test_a_new_connection_gets_the_latest_snapshot_at_once_and_then_every_new_one() -> None:
    async def scenario() -> None:
        hub, connection = make_hub(), Connection()
        await publish(hub, 1, 2)
        hub.join(connection.send)
        assert connection.ids == [2]
        await publish(hub, 3, 4)
        assert connection.ids == [2, 3, 4]

    run(scenario)


def test_who_connects_before_the_first_snapshot_gets_the_first() -> None:
    async def scenario() -> None:
        hub, connection = make_hub(), Connection()
        hub.join(connection.send)
        assert connection.ids == []
        await publish(hub, 1)
        assert connection.ids == [1]

    run(scenario)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 12))
def test_since_gives_what_came_after_it_oldest_first_and_goes_live(since: int) -> None:
    async def scenario() -> None:
        hub, connection = make_hub(keep=10), Connection()
        await publish(hub, *range(1, 11))
        client = hub.join(connection.send, since=since)
        await until(lambda: not client.is_behind)
        await publish(hub, 11, 12)
        kept = [n for n in range(1, 11) if n > since]
        assert connection.ids == [*kept, *(n for n in (11, 12) if n > since)]

    run(scenario)


def test_a_snapshot_that_comes_twice_or_late_is_dropped() -> None:
    async def scenario() -> None:
        hub, connection = make_hub(), Connection()
        hub.join(connection.send)
        await publish(hub, 1, 2, 2, 1, 3)
        assert connection.ids == [1, 2, 3]
        assert hub.dropped == 2

    run(scenario)


def test_a_slow_connection_holds_up_nobody_and_catches_up_in_order() -> None:
    async def scenario() -> None:
        hub, slow, quick = make_hub(), Connection(), Connection()
        client = hub.join(slow.send)
        hub.join(quick.send)
        slow.fill()
        await publish(hub, 1, 2, 3, 4, 5)
        assert quick.ids == [1, 2, 3, 4, 5]
        assert slow.ids == []
        slow.drain()
        await until(lambda: not client.is_behind)
        assert slow.ids == quick.ids
        await publish(hub, 6)
        assert slow.ids == quick.ids

    run(scenario)


def test_a_connection_slower_than_what_is_kept_goes_on_with_the_oldest_there_is_and_is_told() -> None:
    async def scenario() -> None:
        hub, slow = make_hub(keep=3), Connection()
        client = hub.join(slow.send)
        slow.fill()
        await publish(hub, *range(1, 11))
        assert hub.recent.oldest is not None
        slow.drain()
        await until(lambda: not client.is_behind)
        assert slow.ids == [1, *range(hub.recent.oldest.id, 11)]  # the first was under way already
        assert slow.holes == [{"after": 1, "before": hub.recent.oldest.id}]

    run(scenario)


def test_a_connection_that_takes_nothing_is_closed_with_1013_and_forgotten() -> None:
    async def scenario() -> None:
        hub, stuck, quick = make_hub(patience_s=0.05), Connection(), Connection()
        hub.join(stuck.send)
        hub.join(quick.send)
        stuck.fill()
        await publish(hub, 1, 2)
        await until(lambda: hub.stuck == 1)
        stuck.drain()
        await until(lambda: stuck.codes == [1013])
        assert len(hub.clients) == 1
        await publish(hub, 3)
        assert stuck.ids == []
        assert quick.ids == [1, 2, 3]

    run(scenario)


def test_a_connection_that_turns_out_to_be_closed_is_forgotten_and_costs_the_others_nothing() -> None:
    async def scenario() -> None:
        hub, quick = make_hub(), Connection()
        for error in (OSError("closed"), RuntimeError("Unexpected ASGI message 'websocket.send'")):

            async def broken(event: Event, error: Exception = error) -> None:
                raise error

            hub.join(broken)
        hub.join(quick.send)
        await publish(hub, 1, 2)
        assert quick.ids == [1, 2]
        assert len(hub.clients) == 1

    run(scenario)


def test_a_connection_that_closes_while_it_is_waited_for_is_forgotten() -> None:
    async def scenario() -> None:
        hub = make_hub()
        closed = asyncio.Event()

        async def send(event: Event) -> None:
            await closed.wait()
            raise OSError("closed")

        hub.join(send)
        await publish(hub, 1)
        closed.set()
        await until(lambda: not hub.clients)

    run(scenario)


def test_who_leaves_is_sent_nothing_more_and_leaves_no_task_behind() -> None:
    async def scenario() -> None:
        hub, connection, stuck = make_hub(), Connection(), Connection()
        before = asyncio.all_tasks()
        clients = [hub.join(connection.send), hub.join(stuck.send)]
        stuck.fill()
        await publish(hub, 1, 2)
        for client in clients:
            hub.leave(client)
            hub.leave(client)  # again: nothing
        await publish(hub, 3)
        await until(lambda: asyncio.all_tasks() == before)
        stuck.drain()
        assert connection.ids == [1, 2]
        assert stuck.events == []
        assert hub.clients == set()

    run(scenario)


def test_at_the_end_everybody_is_told_to_come_back_and_who_does_not_listen_is_not_waited_for() -> None:
    async def scenario() -> None:
        hub, stuck = make_hub(), Connection()
        connections = [Connection() for _ in range(120)]
        for connection in connections:
            hub.join(connection.send)
        hub.join(stuck.send)
        stuck.fill()
        await publish(hub, 1)
        await hub.drain(0.2)
        assert all(connection.codes == [1012] for connection in connections)
        assert stuck.events == []
        assert hub.clients == set()

    run(scenario)
