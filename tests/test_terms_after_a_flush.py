"""Terms rise even where Redis has forgotten them: who takes over knows those of its stream and of history."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from metrics.snapshot import EncodedSnapshot
from streaming.publishing.publisher import Publisher
from streaming.publishing.sequence import Head


class ForgetfulLease:
    """A lease in a Redis that was emptied: it goes by what who asks knows."""

    def __init__(self) -> None:
        self.is_held = False
        self.term = 0
        self.known_term = 38

    async def take(self) -> None:
        if self.term == 0 or self.term < self.known_term:
            self.term = self.known_term = self.known_term + 1
        self.is_held = True

    async def keep(self) -> None:
        await asyncio.Event().wait()


class EmptyOutlet:
    decides = True

    async def newest(self, count: int) -> list[EncodedSnapshot]:
        return []


class Seen:
    """What has come to this process: `heads`, one after the other."""

    def __init__(self, *heads: Head) -> None:
        self.heads = list(heads)

    def head(self) -> Head | None:
        return self.heads[-1]

    def after(self, id: int) -> list[EncodedSnapshot]:  # noqa: A002 - the wire's word
        return []


class Idle:
    newest = None  # in its journal

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def read(self, patience_s: float) -> dict[Any, Any]:
        return {}


class Knowing:
    """A Past; what it tells when asked the second time was stored meanwhile."""

    def __init__(self, term: int) -> None:
        self.term, self.asked = term, 0

    async def head(self, patience_s: float) -> Head | None:
        self.asked += 1
        return Head(1000, self.term) if self.asked > 1 else None


class Recording(Publisher):
    """Notes its term where it would publish."""

    published_in: list[int]

    async def publish(self) -> None:
        self.published_in.append(self.lease.term)


async def until(claim: Callable[[], bool]) -> None:
    """Let others run until it is true."""
    while True:
        if claim():
            return
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("seen", "stored"), [(40, 0), (0, 40)])
def test_a_standby_that_takes_over_after_a_flush_has_a_higher_term_than_any_it_can_know(seen: int, stored: int) -> None:
    async def scenario() -> list[int]:
        lease, ignored = ForgetfulLease(), Idle()
        everything: dict[str, Any] = {"outlet": EmptyOutlet(), "lease": lease, "history": ignored}
        past = Knowing(stored)
        received = Seen(Head(1000, 38))
        publisher = Recording(
            **everything,
            interval_s=0.01,
            choices=ignored,  # type: ignore[arg-type]
            sources=ignored,  # type: ignore[arg-type]
            past=past,
            received=received,
        )
        publisher.published_in = []
        task = asyncio.create_task(publisher.run())
        async with asyncio.timeout(10):
            await until(lambda: past.asked > 0)
            received.heads.append(Head(1001, seen))  # the leader goes on in a new term, while this one stands by
            await until(lambda: lease.known_term >= seen)
            await lease.take()
            await until(lambda: bool(publisher.published_in))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return publisher.published_in

    assert min(asyncio.run(scenario())) > 40
