"""The faults that the stream once had, put back one at a time: a simulation that does not find them proves nothing.

Each is a small change of the real code while its context lasts.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from metrics.snapshot import to_ms
from streaming.delivery.client import FROM_NEXT, Client
from streaming.delivery.hub import Hub
from streaming.publishing import sequence
from streaming.publishing.lease import RedisLease
from streaming.publishing.publisher import Publisher
from streaming.runtime import ReceivedByHub
from tests.simulation.redis import SimulatedOutlet
from tests.simulation.redis_state import Entry, RedisState
from tests.simulation.schedule import Verdict, run_schedule, small_sizes


@contextmanager
def lease_checked_before_sending_only() -> Iterator[None]:
    """Redis publishes whatever comes: who was frozen between looking at the lease and sending forks the stream."""

    def publish(
        self: RedisState, now_ms: float, arguments: tuple[Any, ...], send: Callable[[Any], None]
    ) -> list[bytes]:
        holder, previous, number, term, text, _, _, message = arguments
        self.entries.append(Entry(number, previous, str(term), text, holder))
        send(message)
        return [b"published", b"%d" % number]

    with patch.object(RedisState, "publish", publish):
        yield


@contextmanager
def history_before_publication() -> Iterator[None]:
    """History gets a snapshot before Redis has said that it is published."""
    with patch.object(SimulatedOutlet, "decides", False):
        yield


@contextmanager
def unanswered_forgotten() -> Iterator[None]:
    """A snapshot of which nobody knows whether it is published counts as not published."""
    note_failure = Publisher._note_failure

    def forget(self: Publisher, error: Exception) -> None:
        self._sequence._held.clear()
        note_failure(self, error)

    with patch.object(Publisher, "_note_failure", forget):
        yield


@contextmanager
def join_by_position() -> Iterator[None]:
    """A cursor becomes a position in this process's memory: one that is ahead, its end."""
    join = Hub.join

    def join_at(self: Hub, send: Any, *, since: int | None = None) -> Client:
        latest = self.recent.latest
        return join(self, send, since=since if since is None or latest is None else min(since, latest.id))

    with patch.object(Hub, "join", join_at):
        yield


@contextmanager
def recall_left_of_clients() -> Iterator[None]:
    """Who came before the past was recalled stands right of it: gets only what comes."""
    join = Hub.join

    def join_at(self: Hub, send: Any, *, since: int | None = None) -> Client:
        client = join(self, send, since=None if self.recent.latest is None else since)
        client.after = FROM_NEXT if self.recent.latest is None else client.after
        return client

    with patch.object(Hub, "join", join_at):
        yield


@contextmanager
def timestamps_as_ids() -> Iterator[None]:
    """A snapshot's id is the time: a clock that is set back gives ids again."""
    with patch.object(sequence, "next_id", lambda last, now_s: to_ms(now_s)):
        yield


@contextmanager
def forgotten_token() -> Iterator[None]:
    """Each try to take the lease has a token of its own: one that comes late gives it to nobody."""
    take = RedisLease.take
    numbers = itertools.count(1)

    async def take_anew(self: RedisLease) -> None:
        if not self.is_held:
            self._token = f"{self._token.partition('#')[0]}#{next(numbers)}"
        await take(self)

    with patch.object(RedisLease, "take", take_anew):
        yield


@contextmanager
def received_forgotten() -> Iterator[None]:
    """Who takes over hands on what Redis still has, and not what came to its own process before Redis lost it."""
    with patch.object(ReceivedByHub, "after", lambda self, id: ()):  # noqa: A006 - the wire's word
        yield


#: What the schedules are drawn from; with this one even the rarest faults are found within some forty.
SEED = "h"
#: Each with the number of schedules in which it is found for certain (a fifth of that, as a rule).
OLD_FAULTS: dict[Callable[[], AbstractContextManager[None]], int] = {
    lease_checked_before_sending_only: 300,
    history_before_publication: 300,
    unanswered_forgotten: 1500,
    join_by_position: 300,
    recall_left_of_clients: 3000,
    timestamps_as_ids: 300,
    forgotten_token: 2000,
    received_forgotten: 600,
}


def find_fault(fault: Callable[[], AbstractContextManager[None]], schedules: int) -> Verdict | None:
    """The first of so many schedules that goes wrong with `fault`; None where none does."""
    with small_sizes(), fault():
        verdicts = (run_schedule(f"{SEED}.{number}") for number in range(schedules))
        return next((verdict for verdict in verdicts if verdict.violations), None)
