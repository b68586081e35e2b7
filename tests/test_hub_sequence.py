"""The hub and the sequence: what is lost, late, doubled, forked, or of a publisher whose time was over."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from streaming.delivery import catch_up, healing
from streaming.delivery.hub import Hub
from streaming.delivery.past import PastUnreadableError
from streaming.wire import Frame
from tests.hubs import make_frame, make_hub


class Past:
    """What is kept elsewhere; answers when `may_answer`, or says that it cannot be read."""

    def __init__(self, *frames: Frame) -> None:
        self.frames = list(frames)
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_away = False

    async def newest(self, count: int, patience_s: float) -> list[Frame]:
        return (await self._ask())[-count:]

    async def between(self, after: int, before: int | None, patience_s: float, at_most: int) -> list[Frame]:
        return [one for one in await self._ask() if after < one.id < (before or 10**15)][:at_most]

    async def _ask(self) -> list[Frame]:
        await self.may_answer.wait()
        if self.is_away:
            raise PastUnreadableError("away")
        return self.frames


class Inbox:
    """A client that reads at once."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    async def send(self, message: Mapping[str, Any]) -> None:
        self.messages.append(json.loads(message["text"]))

    @property
    def ids(self) -> list[int]:
        return [message["id"] for message in self.messages]

    @property
    def holes(self) -> list[dict[str, int]]:
        return [message["missed"] for message in self.messages if "missed" in message]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(bounded())


async def settle(hub: Hub) -> None:
    while any(client.is_behind for client in hub.clients):  # noqa: ASYNC110 - any state, polled
        await asyncio.sleep(0)


async def publish(hub: Hub, *numbers: int, term: int = 1) -> None:
    for number in numbers:
        await hub.pass_on(make_frame(number, term=term))


# --- the start ---


def test_a_hub_that_starts_recalls_the_past_before_anybody_may_join() -> None:
    async def scenario() -> None:
        hub = make_hub(past=Past(make_frame(1), make_frame(2, term=3)))
        assert not hub.is_ready.is_set()
        await hub.recall()
        assert hub.is_ready.is_set()
        assert hub.recent.latest is not None
        assert (hub.recent.latest.id, hub.term) == (2, 3)
        assert hub.arrived_at is None  # it was recalled: nothing says that anybody publishes
        await publish(hub, 2, term=3)
        assert hub.dropped == 1

    run(scenario)


def test_a_past_that_answers_late_is_filled_in_before_what_came_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healing, "RECALL_PATIENCE_S", 0.01)

    async def scenario() -> None:
        past = Past(*map(make_frame, range(1, 5)))
        past.may_answer.clear()
        hub, first, second = make_hub(keep=4, past=past), Inbox(), Inbox()
        await hub.recall()
        assert hub.is_recalling
        hub.join(first.send)
        await publish(hub, 5)
        past.may_answer.set()
        await hub.recall()
        await publish(hub, 6)
        hub.join(second.send, since=0)
        await settle(hub)
        assert first.ids == [5, 6]
        assert second.ids == [1, 2, 3, 4, 5, 6]
        await hub.aclose()

    run(scenario)


def test_a_client_that_is_positioned_before_the_recall_loses_nothing_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a replay of 100,000 rows, a client that connected at once lost 20 of them, 3 times of 3."""
    monkeypatch.setattr(healing, "RECALL_PATIENCE_S", 0.01)

    async def scenario() -> None:
        past = Past(*map(make_frame, range(1, 5)))
        past.may_answer.clear()
        hub, inbox = make_hub(past=past), Inbox()
        await hub.recall()
        hub.join(inbox.send, since=2)
        await publish(hub, 5, 6)
        past.may_answer.set()
        await hub.recall()
        await settle(hub)
        assert inbox.ids == [3, 4, 5, 6]
        assert inbox.holes == []
        await hub.aclose()

    run(scenario)


# --- gaps ---


def test_what_the_layer_lost_and_the_past_has_not_is_told_once_in_the_next_snapshot() -> None:
    async def scenario() -> None:
        hub, live, late = make_hub(), Inbox(), Inbox()
        hub.join(live.send)
        await publish(hub, 1, 4, 5)
        hub.join(late.send, since=1)
        await settle(hub)
        assert (live.ids, late.ids) == ([1, 4, 5], [4, 5])
        assert live.holes == late.holes == [{"after": 1, "before": 4}]
        assert hub.gaps == 1

    run(scenario)


def test_who_has_from_elsewhere_what_this_process_lacks_is_told_of_no_hole() -> None:
    async def scenario() -> None:
        hub, inbox = make_hub(), Inbox()
        await publish(hub, 1, 4, 5)
        hub.join(inbox.send, since=3)
        await settle(hub)
        assert (inbox.ids, inbox.holes) == ([4, 5], [])

    run(scenario)


def test_what_was_missing_once_is_read_from_the_past_when_it_is_there() -> None:
    async def scenario() -> None:
        past = Past()
        past.is_away = True
        hub, inbox = make_hub(past=past), Inbox()
        await publish(hub, 1, 4, 5)
        past.frames, past.is_away = [*map(make_frame, range(1, 6))], False
        hub.join(inbox.send, since=1)
        await settle(hub)
        assert (inbox.ids, inbox.holes) == ([2, 3, 4, 5], [])

    run(scenario)


def test_a_past_that_cannot_be_read_is_told_as_a_hole_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        past = Past()
        past.is_away = True
        hub, inbox = make_hub(past=past), Inbox()
        await publish(hub, 8, 9)
        hub.join(inbox.send, since=3)
        await settle(hub)
        assert (inbox.ids, inbox.holes) == ([8, 9], [{"after": 3, "before": 8}])
        assert hub.unread == 1
        assert "cannot be sent what it missed after 3: away" in caplog.text

    run(scenario)


def test_what_came_while_the_layer_was_away_is_fetched_when_it_is_back() -> None:
    async def scenario() -> None:
        past = Past(*map(make_frame, range(1, 5)))
        hub, inbox = make_hub(past=past), Inbox()
        hub.join(inbox.send)
        await publish(hub, 1, 2)
        arrived_at = hub.arrived_at
        fetching = asyncio.create_task(hub._fetch_after_reconnects())
        hub.note_reconnect()
        while inbox.ids != [1, 2, 3, 4]:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert hub.healed == 2
        assert hub.arrived_at == arrived_at  # what is fetched says nothing of whether anybody publishes now
        fetching.cancel()

    run(scenario)


def test_nothing_has_come_as_long_as_clients_get_nothing() -> None:
    """With a database that hung, health was 2 to 3 s late with `down`: a snapshot that waited for a gap had "come"."""

    async def scenario() -> None:
        past = Past(*map(make_frame, range(1, 5)))
        past.may_answer.clear()
        hub, inbox = make_hub(past=past), Inbox()
        hub.join(inbox.send)
        await publish(hub, 1)
        arrived_at = hub.arrived_at
        passing_on = asyncio.create_task(publish(hub, 5))
        await asyncio.sleep(0.01)
        assert (inbox.ids, hub.arrived_at) == ([1], arrived_at)
        past.may_answer.set()
        await passing_on
        assert inbox.ids == [1, 2, 3, 4, 5]
        assert arrived_at is not None
        assert hub.arrived_at is not None
        assert hub.arrived_at > arrived_at

    run(scenario)


def test_a_past_that_hangs_holds_a_snapshot_up_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healing, "HEALING_PATIENCE_S", 0.01)

    async def scenario() -> None:
        past = Past()
        past.may_answer.clear()
        hub, inbox = make_hub(past=past), Inbox()
        hub.join(inbox.send)
        await publish(hub, 1, 5)
        assert (inbox.ids, inbox.holes, hub.gaps) == ([1, 5], [{"after": 1, "before": 5}], 1)

    run(scenario)


# --- cursors that are ahead ---


def test_a_cursor_that_is_ahead_waits_for_what_comes_after_it() -> None:
    """Clients that hopped between servers got 53 snapshots twice during 9 kills."""

    async def scenario() -> None:
        hub, inbox = make_hub(), Inbox()
        await publish(hub, 1, 2, 3)
        hub.join(inbox.send, since=5)
        await publish(hub, 4, 5)
        assert inbox.ids == []
        await publish(hub, 6, 7)
        assert (inbox.ids, inbox.holes) == ([6, 7], [])

    run(scenario)


def test_a_cursor_of_another_sequence_is_told_so_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "AHEAD_PATIENCE_S", -1.0)

    async def scenario() -> None:
        hub, inbox = make_hub(), Inbox()
        await publish(hub, 1)
        hub.join(inbox.send, since=9)
        await publish(hub, 2, 3)
        assert inbox.ids == [2, 3]
        assert inbox.holes == [{"after": 9, "before": 2}]

    run(scenario)


# --- publishers ---


def test_a_publisher_whose_term_is_over_gets_nothing_through(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        hub, inbox = make_hub(), Inbox()
        hub.join(inbox.send)
        await publish(hub, 1, 2, term=4)
        await publish(hub, 3, term=5)
        await hub.pass_on(make_frame(4, term=4))
        assert inbox.ids == [1, 2, 3]
        assert hub.refused == 1
        assert "term 4 still publishes in term 5" in caplog.text

    run(scenario)


def test_a_fork_is_counted_and_said_and_a_break_as_well(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        hub, inbox = make_hub(), Inbox()
        hub.join(inbox.send)
        await publish(hub, 1, 2)
        with caplog.at_level(logging.ERROR):
            await hub.pass_on(make_frame(5, 1, term=2))
            await hub.pass_on(Frame(9, None, 3, '{"id":9}'))
        assert inbox.ids == [1, 2, 5, 9]
        assert (hub.forks, hub.breaks, hub.gaps) == (1, 1, 0)
        assert inbox.holes == [{"after": 2, "before": 5}]
        assert "5 continues 1, but 2 was published, too" in caplog.text
        assert "does not know what came before 9" in caplog.text

    run(scenario)


@pytest.mark.parametrize("has_seen_both", [True, False])
def test_who_comes_back_with_a_snapshot_that_the_sequence_left_out_is_told(*, has_seen_both: bool) -> None:
    """Redis lost its data, and two publishers continued the same snapshot; this hub may have seen one of them only."""

    async def scenario() -> None:
        hub, astray, right = make_hub(past=Past()), Inbox(), Inbox()
        await publish(hub, *[1, 2][: 1 + has_seen_both])
        await hub.pass_on(make_frame(5, 1))
        await publish(hub, 6)
        hub.join(astray.send, since=2)
        hub.join(right.send, since=5)
        await settle(hub)
        assert (astray.ids, astray.holes) == ([5, 6], [{"after": 2, "before": 5}])
        assert (right.ids, right.holes) == ([6], [])

    run(scenario)


def test_a_fork_of_which_the_past_has_the_other_end_is_told_and_counted() -> None:
    async def scenario() -> None:
        hub, inbox = make_hub(past=Past(make_frame(1), make_frame(3, 1), make_frame(4))), Inbox()
        hub.join(inbox.send)
        await publish(hub, 1, 2)
        await hub.pass_on(make_frame(5, 4))
        assert (inbox.ids, inbox.holes) == ([1, 2, 3, 4, 5], [{"after": 2, "before": 3}])
        assert (hub.forks, hub.healed, hub.gaps) == (1, 2, 0)

    run(scenario)


# --- one budget ---


def test_who_catches_up_waits_while_a_snapshot_goes_out_and_gives_the_loop_back_each_slice() -> None:
    async def scenario() -> None:
        hub = make_hub()
        hub._catch_up._slice_s = 0.0
        await publish(hub, *range(1, 101))
        inboxes = [Inbox() for _ in range(50)]
        for inbox in inboxes:
            hub.join(inbox.send, since=0)
        turns = 0
        while hub.catching_up:
            turns += 1
            await asyncio.sleep(0)
        assert all(inbox.ids == [*range(1, 101)] for inbox in inboxes)
        assert turns > 50 * 100 / catch_up.BURST / 2  # one client's burst for a turn, whoever and however many they are
        hub._catch_up.pause()
        inbox = Inbox()
        hub.join(inbox.send, since=0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert inbox.ids == []
        hub._catch_up.go_on()
        await settle(hub)
        assert inbox.ids == [*range(1, 101)]

    run(scenario)
