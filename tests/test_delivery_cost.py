"""What a delivered snapshot may cost, counted, not timed: no task, no thread, no copy, no second encoding."""

import asyncio
import gc
import itertools
import json
import weakref
from collections.abc import Mapping
from typing import Any

import pytest

from metrics.snapshot import Snapshot
from streaming.delivery import turns
from streaming.delivery.sending import SteppingSender
from streaming.garbage import COLLECT_AFTER
from streaming.runtime import Runtime
from streaming.wire import GROUP, read_layer_message
from tests.hubs import make_frame, make_hub

CLIENTS = 500


class Inbox:
    """A client that reads at once and keeps the very objects that it was sent."""

    def __init__(self) -> None:
        self.messages: list[Mapping[str, Any]] = []

    async def send(self, message: Mapping[str, Any]) -> None:
        self.messages.append(message)


def test_a_sweep_makes_no_task_and_no_thread_hop_and_shares_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        tasks: list[object] = []
        threads: list[object] = []
        hub = make_hub()
        inboxes = [Inbox() for _ in range(CLIENTS)]
        for inbox in inboxes:
            hub.join(inbox.send)

        def count_task(_: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
            tasks.append(coroutine)
            return asyncio.Task(coroutine, loop=loop, **options)

        loop.set_task_factory(count_task)
        monkeypatch.setattr(loop, "run_in_executor", lambda *call: threads.append(call))
        frame = make_frame(1)
        await hub.pass_on(frame)
        await hub.pass_on(make_frame(2))
        assert tasks == []
        assert threads == []
        assert all(inbox.messages[0] is frame.asgi_message for inbox in inboxes)
        assert all(len(inbox.messages) == 2 for inbox in inboxes)

    asyncio.run(scenario())


def test_a_snapshot_is_encoded_once_however_many_clients_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[Snapshot] = []
    dumped: list[object] = []
    encode, dumps = Snapshot.encode, json.dumps

    def count_encode(snapshot: Snapshot) -> str:
        encoded.append(snapshot)
        return encode(snapshot)

    async def scenario() -> None:
        runtime = Runtime()
        hub = runtime.hub
        hub.make_sender = SteppingSender
        hub.is_ready.set()
        publisher = runtime.make_publisher()
        publisher.history.add = lambda snapshot, message: None  # type: ignore[method-assign]  # no database here
        monkeypatch.setattr(publisher.choices, "_ask", refuse)
        inboxes = [Inbox() for _ in range(CLIENTS)]
        for inbox in inboxes:
            hub.join(inbox.send)
        channel = await runtime.layer.new_channel()
        await runtime.layer.group_add(GROUP, channel)
        monkeypatch.setattr(Snapshot, "encode", count_encode)
        snapshot = await publisher.publish()
        monkeypatch.setattr(json, "dumps", lambda *args, **options: dumped.append(args) or dumps(*args, **options))
        await hub.pass_on(read_layer_message(await runtime.layer.receive(channel)))
        assert all(inbox.messages for inbox in inboxes)
        await publisher.aclose()
        assert encoded == [snapshot]
        assert dumped == []

    asyncio.run(scenario())


async def refuse() -> None:
    raise OSError("no database in this test")


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - any condition, polled
            await asyncio.sleep(0.001)


def test_a_stuck_client_costs_one_task_however_many_snapshots_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        hub = make_hub(keep=10)
        never = asyncio.Event()

        async def stuck(message: Mapping[str, Any]) -> None:
            await never.wait()

        quick = Inbox()
        hub.join(stuck)
        hub.join(quick.send)
        before = len(asyncio.all_tasks())
        for number in range(1, 101):
            await hub.pass_on(make_frame(number))
        assert len(asyncio.all_tasks()) == before + 1
        assert len(quick.messages) == 100
        for client in tuple(hub.clients):
            hub.leave(client)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("left", "present", "is_draining", "is_collected"),
    [(0, 0, False, True), (-1, 0, False, False), (0, 5 * COLLECT_AFTER, False, False), (0, 0, True, False)],
)
def test_what_ended_connections_leave_behind_is_collected_once_they_are_many(
    left: int, present: int, *, is_draining: bool, is_collected: bool
) -> None:
    async def scenario() -> None:
        hub = Runtime().hub
        hub.make_sender = SteppingSender
        for _ in range(present):
            hub.join(Inbox().send)
        remains = []
        for _ in range(COLLECT_AFTER + left):
            inbox = Inbox()
            inbox.messages.append({"inbox": inbox})  # a cycle, as servers' protocols are
            remains.append(weakref.ref(inbox))
            hub.leave(hub.join(inbox.send))
        del inbox
        if is_draining:
            await hub.drain(0)
        await hub.pass_on(make_frame(1))
        assert all(inbox() is None for inbox in remains) is is_collected

    gc.disable()
    try:
        asyncio.run(scenario())
    finally:
        gc.enable()


def test_a_sweep_lets_others_have_a_turn_each_millisecond() -> None:
    clock = itertools.count()

    async def scenario() -> None:
        hub = make_hub(clock=lambda: next(clock) / 2000)  # half a millisecond for each look
        for _ in range(20_000):
            hub.join(Inbox().send)
        turns_taken = 0

        async def take_turns() -> None:
            nonlocal turns_taken
            while True:
                turns_taken += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(take_turns())
        await hub.pass_on(make_frame(1))
        other.cancel()
        assert turns_taken >= 20_000 / (3 * turns.STEPS)

    asyncio.run(scenario())
