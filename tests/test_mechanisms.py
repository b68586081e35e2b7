"""The small mechanisms that promises rest on: ticks, questions, eager coroutines, membership."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import pytest
from channels.exceptions import ChannelFull
from channels.layers import InMemoryChannelLayer

from metrics.snapshot import EncodedSnapshot
from streaming.delivery.eager import begin
from streaming.durations import Durations
from streaming.publishing.local_layer import LocalChannelLayer
from streaming.publishing.ticker import Ticker
from streaming.servers import daphne_server
from streaming.wire import GROUP, make_layer_message
from tests.hubs import make_hub
from tests.simulation.loop import SimulatedLoop

# --- ticks ---


def tick_times(work_s: list[float], hurried_at: float | None = None) -> tuple[list[float], int]:
    """When each tick came on a simulated clock, with work of these lengths after each; and how many were missed."""
    loop: Any = SimulatedLoop(random.Random(1))  # type: ignore[abstract]
    ticker = Ticker(3.0)
    times = []

    async def run() -> None:
        remaining = iter([*work_s, 1000.0])
        async for _ in ticker:
            times.append(round(loop.time(), 3))
            await asyncio.sleep(next(remaining))

    if hurried_at is not None:
        loop.call_at(hurried_at, ticker.hurry)
    loop.create_task(run())
    loop.run_until(100.0)
    loop.end([])
    return times, ticker.missed


def test_ticks_do_not_drift_with_the_work() -> None:
    assert tick_times([0.5, 2.9, 0.0, 1.0]) == ([0, 3, 6, 9, 12], 0)


def test_ticks_that_were_missed_are_counted_skipped_and_never_bunched() -> None:
    assert tick_times([7.0, 0.1, 3.1, 0.1]) == ([0, 9, 12, 18, 21], 3)


def test_a_tick_that_is_hurried_comes_at_once_and_the_others_follow_from_there() -> None:
    assert tick_times([0.0, 0.0, 0.0, 0.0], hurried_at=4.0) == ([0, 3, 4, 7, 10], 0)


def test_who_hurries_while_a_tick_is_worked_on_changes_nothing() -> None:
    """That tick does what there is to do: another one right after it would be too soon."""
    assert tick_times([0.0, 2.0, 0.0], hurried_at=4.0) == ([0, 3, 6, 9], 0)


# --- eager coroutines ---


def test_a_coroutine_that_does_not_wait_is_done_at_once() -> None:
    done = []

    async def work() -> None:
        done.append(1)

    assert begin(work()) is None
    assert done == [1]


def test_a_coroutine_that_waits_goes_on_where_it_was() -> None:
    async def run() -> None:
        steps: list[int] = []
        event = asyncio.Event()

        async def work() -> None:
            steps.append(1)
            await event.wait()
            steps.append(2)
            await asyncio.sleep(0)
            steps.append(3)

        rest = begin(work())
        assert steps == [1]
        assert rest is not None
        event.set()
        await rest
        assert steps == [1, 2, 3]

    asyncio.run(run())


def test_cancelling_the_rest_cancels_the_coroutine() -> None:
    async def run() -> None:
        cleaned = []

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cleaned.append(1)

        rest = begin(work())
        assert rest is not None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await rest
        assert cleaned == [1]

    asyncio.run(run())


def test_what_a_coroutine_raises_at_once_is_raised_at_once() -> None:
    async def work() -> None:
        raise OSError("closed")

    with pytest.raises(OSError, match="closed"):
        begin(work())


# --- membership ---


@pytest.mark.parametrize("options", [{"expiry": 60, "group_expiry": 1}, {"expiry": 1, "group_expiry": 86400}])
def test_no_membership_expires_under_a_client_that_stays(options: dict[str, int]) -> None:
    """The layer's 24 h and 60 s, shrunk to one: a snapshot long after either still arrives."""

    async def run() -> None:
        layer = InMemoryChannelLayer(**options)  # which forgets, as the one in Redis does
        hub = make_hub()
        received: list[Mapping[str, Any]] = []

        async def send(message: Mapping[str, Any]) -> None:
            received.append(message)

        hub.join(send)
        running = asyncio.create_task(hub.run(layer))
        async with asyncio.timeout(20):
            while GROUP not in layer.groups:  # noqa: ASYNC110 - polled
                await asyncio.sleep(0.01)
            joined = next(iter(layer.groups[GROUP].values()))
            while next(iter(layer.groups.get(GROUP, {"": joined}).values())) < joined + 2.5:  # it joined again, thrice
                layer._clean_expired()
                assert layer.groups.get(GROUP), "the membership has expired"
                await asyncio.sleep(0.05)
            await layer.group_send(GROUP, make_layer_message(EncodedSnapshot(1, None, 1, "{}")))
            while not received:  # noqa: ASYNC110 - polled
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(run())


# --- the layer of a process that is alone ---


def test_a_member_that_does_not_receive_costs_the_others_nothing() -> None:
    async def run() -> None:
        layer = LocalChannelLayer(capacity=2)
        deaf, listening = [await layer.new_channel() for _ in range(2)]
        for channel in (deaf, listening):
            await layer.group_add(GROUP, channel)
        for number in range(5):
            await layer.group_send(GROUP, {"type": "snapshot", "id": number})
            message = await layer.receive(listening)
            assert message == {"type": "snapshot", "id": number}
            message["id"] = "changed"  # by one member, for itself
        assert [(await layer.receive(deaf))["id"] for _ in range(2)] == [0, 1]

    asyncio.run(run())


def test_who_leaves_a_group_leaves_nothing_behind() -> None:
    async def run() -> None:
        layer = LocalChannelLayer()
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        await layer.group_send(GROUP, {"type": "snapshot"})
        await layer.group_discard(GROUP, channel)
        await layer.group_send(GROUP, {"type": "snapshot"})
        assert (layer.groups, layer.channels) == ({}, {})

    asyncio.run(run())


def test_who_sends_to_a_channel_that_is_full_is_told() -> None:
    async def run() -> None:
        layer = LocalChannelLayer(capacity=1)
        await layer.send("somebody", {"type": "one"})
        with pytest.raises(ChannelFull):
            await layer.send("somebody", {"type": "two"})
        assert await layer.receive("somebody") == {"type": "one"}

    asyncio.run(run())


# --- durations ---


def test_durations_are_counted_up_to_each_bound_and_it_is_included() -> None:
    durations = Durations()
    for seconds in (0.0005, 0.001, 0.002, 0.3, 7.0):
        durations.add(seconds)
    counted = durations.count()
    assert counted["sum"] == pytest.approx(7.3035)
    assert dict(counted["buckets"]) == {
        "0.001": 2,
        "0.0025": 3,
        "0.005": 3,
        "0.01": 3,
        "0.025": 3,
        "0.05": 3,
        "0.1": 3,
        "0.25": 3,
        "0.5": 4,
        "1.0": 4,
        "+Inf": 5,
    }


# --- Daphne ---


@pytest.mark.parametrize(("count", "parts", "at_once"), [(1000, 5, 200), (20_000, 50, 400)])
def test_daphne_checks_all_its_connections_in_a_round_but_few_at_once(
    monkeypatch: pytest.MonkeyPatch, count: int, parts: int, at_once: int
) -> None:
    class Protocol:
        checks = 0

        def check_timeouts(self) -> None:
            self.checks += 1

    monkeypatch.setattr("streaming.servers.daphne_server.reactor.callLater", lambda *call: None)
    server = daphne_server.Server(application=None, endpoints=["tcp:0"])
    protocols = [Protocol() for _ in range(count)]
    server.connections = {protocol: {} for protocol in protocols}
    server.timeout_checker()
    assert sum(protocol.checks for protocol in protocols) <= at_once
    gone = next(protocol for protocol in protocols if not protocol.checks)
    del server.connections[gone]
    for _ in range(parts - 1):
        server.timeout_checker()
    assert {protocol.checks for protocol in protocols if protocol is not gone} == {1}
    assert gone.checks == 0
