"""What a publisher that takes over knows of the sequence before it, and what it says where nobody knows."""

import asyncio
from typing import Any, ClassVar

import pytest

from metrics.history.journal import Newest
from metrics.snapshot import EncodedSnapshot
from streaming.publishing.lease import LocalLease
from streaming.publishing.outlet import Outcome, Published
from streaming.publishing.publisher import Publisher
from streaming.publishing.sequence import Head
from tests.test_contract import START_ID, make_message


class Outlet:
    """One that decides, and has `kept` of the past."""

    decides: ClassVar[bool] = True

    def __init__(self, kept: list[EncodedSnapshot]) -> None:
        self.kept = kept
        self.published: list[EncodedSnapshot] = []

    async def publish(self, message: EncodedSnapshot, holder: str) -> Published:
        self.published.append(message)
        return Published(Outcome.PUBLISHED, message.id)

    async def newest(self, count: int) -> list[EncodedSnapshot]:
        return self.kept

    async def between(self, after: int, before: int | None) -> list[EncodedSnapshot]:
        return []

    async def aclose(self) -> None:
        pass


class Past:
    """History, which tells `heads` one after the other, or is away where there is none left."""

    def __init__(self, *heads: Head | None) -> None:
        self.heads = list(heads)

    async def head(self, patience_s: float) -> Head | None:
        if not self.heads:
            raise TimeoutError
        return self.heads.pop(0)


class History:
    """A writer that writes nothing, whose journal knows `newest`."""

    def __init__(self, newest: Newest | None = None) -> None:
        self.newest = newest

    def add(self, *composed: Any) -> None:
        pass


class Choices:
    """Staff's choice: simulated values, whatever is asked."""

    async def read(self, *_: Any, **__: Any) -> dict[Any, Any]:
        return {}


def kept(number: int) -> EncodedSnapshot:
    return EncodedSnapshot(number, None, 1, "not to be read here")


@pytest.mark.parametrize(
    ("heads", "outlet", "journal", "previous"),
    [
        ([Head(START_ID, 1), Head(START_ID, 1)], [], None, START_ID),  # history tells
        ([Head(START_ID, 1)], [kept(START_ID + 7)], None, START_ID + 7),  # history is away; the outlet tells
        ([Head(START_ID, 1)], [], None, None),  # neither does: what was known before may be old
        ([], [], None, None),
        ([], [], Newest(10**15, 1), None),  # the journal does not know what others published, but ids are above it
        ([None, None], [], None, None),  # there was none
    ],
)
def test_a_successor_names_the_newest_snapshot_before_it_or_none_where_nobody_tells(
    heads: list[Head | None],
    outlet: list[EncodedSnapshot],
    journal: Newest | None,
    previous: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A restarted publisher once named an old one while Redis was empty and PostgreSQL hung: a fork told to nobody."""
    composed = make_message()

    def compose(*_: Any, id: int, previous: int | None, **__: Any) -> Any:  # noqa: A002
        class Snapshot:
            def __init__(self) -> None:
                self.id = id

            def to_encoded(self, term: int) -> EncodedSnapshot:
                return EncodedSnapshot(id, previous, term, str(composed))

        return Snapshot()

    monkeypatch.setattr("streaming.publishing.publisher.compose_snapshot", compose)

    async def scenario() -> None:
        taker = Outlet(outlet)
        choices: Any = Choices()
        history: Any = History(journal)
        publisher = Publisher(
            taker, LocalLease(), interval_s=1.0, history=history, choices=choices, sources=choices, past=Past(*heads)
        )
        await publisher.run_once()
        assert [message.previous for message in taker.published] == [previous]
        assert all(message.id > (journal or Newest(0, 0)).id for message in taker.published)

    asyncio.run(scenario())
