"""What every client receives, for any interleaving of what can happen to it, over connections to two hubs."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.delivery import catch_up, turns
from streaming.delivery.client import Client
from streaming.delivery.hub import Hub
from streaming.wire import Frame
from tests.hubs import make_frame, make_hub

CLIENTS = 3


@dataclass
class Viewer:
    """A client that keeps what it got over all its connections, and resumes after the last of it, at any hub."""

    record: list[int] = field(default_factory=list)
    holes: list[dict[str, int]] = field(default_factory=list)
    hub: Hub | None = None
    client: Client | None = None
    may_read: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Mapping[str, Any]) -> None:
        if not self.may_read.is_set():
            await self.may_read.wait()
        if message["type"] == "websocket.send":
            snapshot = json.loads(message["text"])
            self.record.append(snapshot["id"])
            if "missed" in snapshot:
                self.holes.append(snapshot["missed"])

    def connect(self, hub: Hub) -> None:
        if self.client is None:
            self.hub = hub
            self.client = hub.join(self.send, since=self.record[-1] if self.record else None)

    def disconnect(self) -> None:
        if self.client is not None and self.hub is not None:
            self.hub.leave(self.client)
            self.client = None


@dataclass
class Published:
    """The published sequence; doubles as the past that gaps are healed and clients are resumed from."""

    frames: list[Frame] = field(default_factory=list)

    def next(self) -> Frame:
        self.frames.append(make_frame(len(self.frames) + 1))
        return self.frames[-1]

    async def newest(self, count: int, patience_s: float) -> list[Frame]:
        return self.frames[-count:]

    async def between(self, after: int, before: int | None, patience_s: float, at_most: int) -> list[Frame]:
        await asyncio.sleep(0)
        return [frame for frame in self.frames if after < frame.id < (before or 10**9)][:at_most]


@pytest.fixture(autouse=True)
def _a_turn_after_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop has a turn after each client: whatever can come between does."""
    monkeypatch.setattr(turns, "STEPS", 1)
    monkeypatch.setattr(turns, "SHORTEST_S", 0.0)
    monkeypatch.setattr(turns, "LONGEST_S", 0.0)
    monkeypatch.setattr(catch_up, "BURST", 2)


viewer = st.integers(0, CLIENTS - 1)
hub = st.integers(0, 1)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["publish", "lose", "turn"]), st.just(0), st.just(0)),
        st.tuples(st.sampled_from(["repeat", "miss"]), st.just(0), hub),
        st.tuples(st.sampled_from(["connect", "disconnect", "stall", "read"]), viewer, hub),
    ),
    max_size=60,
)


async def play(hubs: list[Hub], published: Published, script: list[tuple[str, int, int]]) -> list[Viewer]:
    """Do what the script says, then let everybody read to the end."""
    viewers = [Viewer() for _ in range(CLIENTS)]
    for each in viewers:
        each.may_read.set()
    for action, number, place in script:
        each = viewers[number]
        match action:
            case "publish":
                frame = published.next()
                for one in hubs:
                    await one.pass_on(frame)
            case "lose":
                published.next()  # the past has it, the channel layer lost it
            case "miss":
                await hubs[place].pass_on(published.next())  # the other one did not get it
            case "repeat":
                if published.frames:
                    await hubs[place].pass_on(published.frames[0])
            case "turn":
                await asyncio.sleep(0)
            case "connect":
                each.connect(hubs[place])
            case "disconnect":
                each.disconnect()
            case "stall":
                each.may_read.clear()
            case "read":
                each.may_read.set()
    for each in viewers:
        each.may_read.set()
        each.connect(hubs[0])
    frame = published.next()
    for one in hubs:
        await one.pass_on(frame)
    while any(client.is_behind for one in hubs for client in one.clients):  # noqa: ASYNC110 - any state, polled
        await asyncio.sleep(0)
    for each in viewers:
        each.disconnect()
    return viewers


@pytest.mark.parametrize("keep", [1000, 3])
@settings(max_examples=250, deadline=None)
@given(script=steps)
def test_every_record_is_the_published_sequence_from_its_first_message_on(
    keep: int, script: list[tuple[str, int, int]]
) -> None:
    async def scenario() -> None:
        published = Published()
        hubs = [make_hub(keep=keep, past=published) for _ in range(2)]
        for each in await play(hubs, published, script):
            assert each.record == [*range(each.record[0], len(published.frames) + 1)]
            assert each.holes == []
        assert all(one.clients == set() for one in hubs)

    asyncio.run(scenario())


@settings(max_examples=150, deadline=None)
@given(script=steps)
def test_without_a_past_records_stay_in_order_and_every_hole_is_told(script: list[tuple[str, int, int]]) -> None:
    async def scenario() -> None:
        published = Published()
        for each in await play([make_hub(keep=3), make_hub(keep=3)], published, script):
            assert each.record == sorted(set(each.record))
            assert each.record[-1] == published.frames[-1].id
            holes = [
                {"after": before, "before": after}
                for before, after in zip(each.record, each.record[1:], strict=False)
                if after != before + 1
            ]
            assert each.holes == holes

    asyncio.run(scenario())


def test_a_client_that_catches_up_while_a_sweep_has_a_turn_gets_nothing_twice() -> None:
    """More clients than one turn of a sweep, all of them resuming when the next snapshot comes."""

    async def scenario() -> None:
        published = Published()
        hub = make_hub(keep=100, past=published)
        for _ in range(3):
            await hub.pass_on(published.next())
        viewers = [Viewer() for _ in range(250)]
        for each in viewers:
            each.may_read.set()
            each.client = hub.join(each.send, since=0)
        await hub.pass_on(published.next())
        while any(client.is_behind for client in hub.clients):  # noqa: ASYNC110 - any state, polled
            await asyncio.sleep(0)
        assert all(each.record == [1, 2, 3, 4] for each in viewers)

    asyncio.run(scenario())


def test_a_send_that_fails_in_an_unheard_of_way_costs_nobody_else_a_snapshot() -> None:
    async def scenario() -> None:
        async def fail(message: Mapping[str, Any]) -> None:
            raise LookupError("no server does this")

        published = Published()
        hub = make_hub(past=published)
        viewers = [Viewer() for _ in range(20)]
        for each in viewers:
            each.may_read.set()
            each.connect(hub)
            hub.join(fail)
        for _ in range(3):
            await hub.pass_on(published.next())
        assert all(each.record == [1, 2, 3] for each in viewers)
        assert len(hub.clients) == 20

    asyncio.run(scenario())
