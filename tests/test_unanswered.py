"""A publisher whose outlet does not answer: what it published all the same is kept, once, and nothing else is."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, ClassVar

from metrics.snapshot import EncodedSnapshot, Snapshot
from streaming.past import Past
from streaming.publishing.lease import LocalLease
from streaming.publishing.outlet import Outcome, Published
from streaming.publishing.publisher import Publisher
from streaming.publishing.sequence import Head
from tests.simulation.sources import SimulatedChoices, SimulatedSources


class Outlet:
    """Publishes as the script in Redis does; `answers`: what becomes of each answer, "" where it arrives.

    "lost": it was published, and nobody hears of it. "never": it was not.
    """

    decides: ClassVar[bool] = True

    def __init__(self, *answers: str) -> None:
        self.entries: list[EncodedSnapshot] = []
        self.is_readable = True
        self.tries = 0
        self._answers = iter(answers)

    async def publish(self, message: EncodedSnapshot, holder: str) -> Published:
        answer = next(self._answers, "")
        self.tries += 1
        head = self.entries[-1].id if self.entries else None
        outcome = Outcome.PUBLISHED if (head or 0) <= (message.previous or 0) else Outcome.BEHIND
        if answer == "never":
            raise TimeoutError
        if outcome is Outcome.PUBLISHED:
            self.entries.append(message)
        if answer == "lost":
            raise TimeoutError
        return Published(outcome, self.entries[-1].id)

    async def newest(self, count: int) -> list[EncodedSnapshot]:
        return await self.between(-1, None)

    async def between(self, after: int, before: int | None) -> list[EncodedSnapshot]:
        if not self.is_readable:
            raise TimeoutError
        return [entry for entry in self.entries if entry.id > after and (before is None or entry.id < before)]

    async def aclose(self) -> None:
        """Nothing is open."""


class History:
    """What a writer was given, each once."""

    newest = None

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}

    def add(self, snapshot: Snapshot, message: EncodedSnapshot) -> None:
        assert self.texts.setdefault(message.id, message.text) == message.text
        assert snapshot.id == message.id

    async def run(self) -> None:
        await asyncio.sleep(3600)


class Seen:
    """What this process has received: the head that `look` tells, and `messages`."""

    def __init__(self, look: Callable[[], Head | None], *messages: EncodedSnapshot) -> None:
        self.head = look
        self.messages = messages

    def after(self, id: int) -> list[EncodedSnapshot]:  # noqa: A002 - the wire's word
        return [message for message in self.messages if message.id > id]


class Nothing:
    """No past."""

    async def head(self, patience_s: float) -> Head | None:
        return None


def make_publisher(outlet: Outlet, lease: Any = None, *, received: Seen | None = None) -> Publisher:
    """A publisher whose clock stands still: ids count on from one another."""
    return Publisher(
        outlet,
        lease or LocalLease(),
        interval_s=0.01,
        history=History(),  # type: ignore[arg-type]
        choices=SimulatedChoices(),
        sources=SimulatedSources(itertools.count(1)),
        past=Nothing(),
        received=received,
        wall=lambda: 1_735_000_000.0,
    )


async def publish_until(publisher: Publisher, claim: Callable[[], bool]) -> None:
    """Run the publisher until `claim` is true."""
    running = asyncio.create_task(publisher.run())
    async with asyncio.timeout(20):
        while not claim():  # noqa: ASYNC110 - any claim, polled
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait([running])


def published(outlet: Outlet) -> dict[int, str]:
    return {entry.id: entry.text for entry in outlet.entries}


def play(outlet: Outlet, *, entries: int = 5, **options: Any) -> Publisher:
    """Publish until `entries` snapshots are in the outlet and history has as many."""
    publisher = make_publisher(outlet, **options)
    history: Any = publisher.history
    asyncio.run(publish_until(publisher, lambda: len(outlet.entries) >= entries <= len(history.texts)))
    return publisher


def test_what_was_published_before_an_unanswered_one_that_was_not_is_kept() -> None:
    outlet = Outlet("", "lost", "never", "never")
    publisher: Any = play(outlet)
    assert published(outlet) == publisher.history.texts


def test_what_others_saw_of_it_counts_as_an_answer() -> None:
    outlet = Outlet("", "lost", "never")
    outlet.is_readable = False  # and nobody else could tell

    def seen() -> Head | None:
        """A moment late, as a hub is."""
        return Head(outlet.entries[-1].id, outlet.entries[-1].term) if outlet.tries >= 3 else None

    publisher: Any = play(outlet, received=Seen(seen))
    assert published(outlet) == publisher.history.texts


def test_an_outlet_that_does_not_answer_is_said_to_be() -> None:
    publisher = make_publisher(Outlet("never"))
    asyncio.run(publisher.publish())
    assert "no answer from Redis in time" in publisher.error


def test_what_the_outlet_could_not_tell_at_once_is_asked_again() -> None:
    outlet = Outlet()

    async def scenario() -> None:
        before, after = make_publisher(outlet), make_publisher(outlet)
        history: Any = after.history
        await publish_until(before, lambda: len(outlet.entries) == 3)
        outlet.is_readable = False

        def has_all() -> bool:
            if len(outlet.entries) == 6 and not outlet.is_readable:
                assert len(history.texts) == 3
                outlet.is_readable = True
            return bool(history.texts == published(outlet))

        await publish_until(after, has_all)

    asyncio.run(scenario())


def test_an_id_is_never_given_twice_however_the_clock_stands() -> None:
    outlet = Outlet("", "lost", "never", "lost", "never")
    publisher: Any = play(outlet)  # the clock stands still: History.add compares the texts
    assert published(outlet) == publisher.history.texts
    assert len(set(published(outlet))) == len(outlet.entries)


def test_a_tenure_that_turns_out_to_be_older_than_what_was_seen_publishes_nothing() -> None:
    outlet = Outlet()
    play(outlet, received=Seen(lambda: Head(1_735_000_000_000, 7) if outlet.tries >= 2 else None))
    assert {entry.term for entry in outlet.entries[2:]} == {8}


def test_an_outlet_that_lost_its_newest_is_gone_on_from_what_is_known() -> None:
    outlet = Outlet()
    publisher: Any = play(outlet)
    lost = outlet.entries.pop()
    asyncio.run(publish_until(publisher, lambda: len(outlet.entries) >= 5))
    assert outlet.entries[4].previous == lost.id


def test_what_the_outlet_has_lost_and_this_process_has_received_is_kept() -> None:
    """A killed leader's last was published when Redis woke, and lost when it was flushed: others had received it."""
    before = Outlet()
    play(before, entries=3)
    last = before.entries[-1]
    outlet = Outlet()  # which is empty
    received = Seen(lambda: Head(last.id, last.term), *before.entries)
    publisher: Any = play(outlet, received=received, entries=6)
    assert outlet.entries[0].previous == last.id
    assert {entry.id for entry in before.entries} < set(publisher.history.texts)


def test_where_the_outlet_has_lost_its_newest_ids_are_left_out_that_may_have_been_given() -> None:
    """A publisher whose clock was behind gave an id again that clients had got by a snapshot that Redis then lost."""
    last = Head(1_735_000_000_005, 1)  # ahead of the clock
    outlet = Outlet()
    lease = LocalLease()
    lease.term = 1  # it has been taken before the first tick
    play(outlet, lease=lease, received=Seen(lambda: last if not outlet.tries else None))
    assert outlet.entries[0].previous == last.id
    assert outlet.entries[0].id > last.id + 5000
    assert [entry.id - outlet.entries[0].id for entry in outlet.entries[:3]] == [0, 1, 2]


class OldRows:
    """History, which has everything."""

    def __init__(self, *rows: EncodedSnapshot) -> None:
        self.rows = rows

    async def newest(self, count: int, patience_s: float) -> list[EncodedSnapshot]:
        return list(self.rows[-count:])

    async def between(self, after: int, before: int | None, patience_s: float, limit: int) -> list[EncodedSnapshot]:
        return [row for row in self.rows if row.id > after and (before is None or row.id < before)][:limit]


def test_a_hole_in_what_the_outlet_has_is_filled_from_history() -> None:
    rows = [EncodedSnapshot(number, number - 1, 1, "") for number in range(1, 9)]
    outlet = Outlet()
    outlet.entries = [row for row in rows if row.id not in (1, 2, 5, 6)]
    past = Past(outlet, OldRows(*rows))

    async def read(after: int, before: int | None, at_most: int) -> list[int]:
        return [frame.id for frame in await past.between(after, before, 1.0, at_most)]

    assert asyncio.run(read(2, None, 100)) == [3, 4, 5, 6, 7, 8]
    assert asyncio.run(read(2, 8, 100)) == [3, 4, 5, 6, 7]
    assert asyncio.run(read(0, None, 3)) == [1, 2, 3]
    assert asyncio.run(read(2, None, 3)) == [3, 4, 5]
    assert asyncio.run(read(6, None, 100)) == [7, 8]
