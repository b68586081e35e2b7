"""What every client receives, for any interleaving of what can happen to it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.snapshot import EncodedSnapshot
from streaming.delivery.client import Client
from streaming.delivery.hub import Hub
from streaming.wire import Frame
from tests.hubs import make_hub

CLIENTS = 3


@dataclass
class Viewer:
    """A client that keeps what it got over all its connections, and resumes after the last of it."""

    hub: Hub
    record: list[float] = field(default_factory=list)
    client: Client | None = None
    may_read: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Mapping[str, Any]) -> None:
        if not self.may_read.is_set():
            await self.may_read.wait()
        if message["type"] == "websocket.send":
            self.record.append(float(message["text"]))

    def connect(self) -> None:
        if self.client is None:
            self.client = self.hub.join(self.send, since=self.record[-1] if self.record else None)

    def disconnect(self) -> None:
        if self.client is not None:
            self.hub.leave(self.client)
            self.client = None


@dataclass
class Published:
    """The published sequence; doubles as the history that gaps are healed from."""

    messages: list[EncodedSnapshot] = field(default_factory=list)

    def next(self) -> Frame:
        previous = self.messages[-1].timestamp if self.messages else None
        timestamp = (previous or 0.0) + 1.0
        self.messages.append(EncodedSnapshot(timestamp, previous, str(timestamp)))
        return Frame(*self.messages[-1])

    async def newest(self, count: int, patience_s: float) -> list[EncodedSnapshot]:
        return self.messages[-count:]

    async def between(self, after: float, before: float, patience_s: float) -> list[EncodedSnapshot]:
        await asyncio.sleep(0)
        return [message for message in self.messages if after < message.timestamp < before]


viewer = st.integers(0, CLIENTS - 1)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["publish", "lose", "repeat", "turn"]), st.just(0)),
        st.tuples(st.sampled_from(["connect", "disconnect", "stall", "read"]), viewer),
    ),
    max_size=60,
)


async def play(hub: Hub, published: Published, script: list[tuple[str, int]]) -> list[Viewer]:
    """Do what the script says, then let everybody read to the end."""
    viewers = [Viewer(hub) for _ in range(CLIENTS)]
    for each in viewers:
        each.may_read.set()
    for action, number in script:
        each = viewers[number]
        match action:
            case "publish":
                await hub.pass_on(published.next())
            case "lose":
                published.next()  # history has it, the channel layer lost it
            case "repeat":
                if published.messages:
                    await hub.pass_on(Frame(*published.messages[0]))
            case "turn":
                await asyncio.sleep(0)
            case "connect":
                each.connect()
            case "disconnect":
                each.disconnect()
            case "stall":
                each.may_read.clear()
            case "read":
                each.may_read.set()
    for each in viewers:
        each.may_read.set()
        each.connect()
    await hub.pass_on(published.next())
    while any(client.is_catching_up for client in hub.clients):  # noqa: ASYNC110 - any state, polled
        await asyncio.sleep(0)
    for each in viewers:
        each.disconnect()
    return viewers


@settings(max_examples=300, deadline=None)
@given(steps)
def test_every_record_is_the_published_sequence_from_its_first_message_on(script: list[tuple[str, int]]) -> None:
    async def scenario() -> None:
        published = Published()
        hub = make_hub(keep=1000, history=published)
        hub.sweep_chunk = 1  # the loop has a turn after each client: whatever can come between does
        sequence = [*range(1, 1000)]
        for each in await play(hub, published, script):
            first = int(each.record[0])
            assert each.record == sequence[first - 1 : len(published.messages)]
        assert hub.clients == set()

    asyncio.run(scenario())


@settings(max_examples=150, deadline=None)
@given(steps)
def test_with_little_kept_records_stay_in_order_without_duplicates_and_end_with_the_newest(
    script: list[tuple[str, int]],
) -> None:
    async def scenario() -> None:
        published = Published()
        for each in await play(make_hub(keep=3, history=published), published, script):
            assert each.record == sorted(set(each.record))
            assert each.record[-1] == published.messages[-1].timestamp

    asyncio.run(scenario())


def test_a_client_that_catches_up_while_a_sweep_has_a_turn_gets_nothing_twice() -> None:
    """More clients than one chunk of a sweep, all of them resuming when the next snapshot comes."""

    async def scenario() -> None:
        published = Published()
        hub = make_hub(keep=100, history=published)
        for _ in range(3):
            await hub.pass_on(published.next())
        viewers = [Viewer(hub) for _ in range(250)]
        for each in viewers:
            each.may_read.set()
            each.client = hub.join(each.send, since=0.0)
        await hub.pass_on(published.next())
        while any(client.is_catching_up for client in hub.clients):  # noqa: ASYNC110 - any state, polled
            await asyncio.sleep(0)
        assert all(each.record == [1.0, 2.0, 3.0, 4.0] for each in viewers)

    asyncio.run(scenario())


def test_a_send_that_fails_in_an_unheard_of_way_costs_nobody_else_a_snapshot() -> None:
    async def scenario() -> None:
        async def fail(message: Mapping[str, Any]) -> None:
            raise LookupError("no server does this")

        published = Published()
        hub = make_hub(history=published)
        viewers = [Viewer(hub) for _ in range(20)]
        for each in viewers:
            each.may_read.set()
            each.connect()
            hub.join(fail)
        for _ in range(3):
            await hub.pass_on(published.next())
        assert all(each.record == [1.0, 2.0, 3.0] for each in viewers)
        assert len(hub.clients) == 20

    asyncio.run(scenario())
