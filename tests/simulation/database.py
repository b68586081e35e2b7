"""A simulated database: the writer's store and the reader's answers, with the product's own fence."""

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from django.db import InterfaceError, OperationalError

from metrics.history.reader import PAGE, HistoryReader
from metrics.history.store import Entry, Refused, choose_refused, is_all_new
from metrics.snapshot import EncodedSnapshot, to_ms
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Path, Question
from tests.simulation.process import Process
from tests.simulation.watch import Watch


class Row(NamedTuple):
    """One stored snapshot."""

    message: EncodedSnapshot
    time_ms: int


class SimulatedDatabase:
    """Rows, and what may happen to who asks. What is committed stays."""

    def __init__(self, loop: SimulatedLoop, watch: Watch) -> None:
        self._loop = loop
        self.away_until = 0.0
        self.rows: dict[int, Row] = {}
        self.ids: list[int] = []
        self.continued: set[int | None] = set()
        self.is_up = True
        self.is_hung = False
        self._watch = watch
        self._waiting: list[Question] = []

    def receive(self, question: Question) -> None:
        if not self.is_up:
            question.settle(None, OperationalError("connection refused"))
        elif self.is_hung:
            self._waiting.append(question)
        else:
            question.settle(question.work())

    def was_away_at(self, since: float) -> bool:
        """Whether it was away at any time since then."""
        return not self.is_up or self.is_hung or self.away_until > since

    def hang(self) -> None:
        self.is_hung = True

    def go_on(self) -> None:
        """Do what waited for a lock, say, whoever still waits for the answer."""
        self.away_until = self._loop.now
        self.is_hung = False
        waiting, self._waiting = self._waiting, []
        for question in waiting:
            question.settle(question.work())

    def stop(self) -> None:
        """Refuse everybody; what was under way is rolled back."""
        self.is_up = self.is_hung = False
        waiting, self._waiting = self._waiting, []
        for question in waiting:
            question.settle(None, OperationalError("terminating connection"))

    def heal(self) -> None:
        """Answer everybody."""
        self.is_up = True
        self.go_on()

    # --- what is asked ---

    def write(self, batch: Sequence[Entry]) -> list[Entry]:
        """metrics.history.store.write."""
        newest_id, newest_term = (self.ids[-1], self.rows[self.ids[-1]].message.term) if self.ids else (-1, 0)
        refused: list[Entry] = []
        if not is_all_new(batch, newest_id, newest_term):
            stored = {
                snapshot.id: (self.rows[snapshot.id].message.term, self.rows[snapshot.id].message.previous)
                for snapshot, _ in batch
                if snapshot.id in self.rows
            }
            refused = choose_refused(batch, newest_term, stored, set(self.continued))
        refused_ids = {snapshot.id for snapshot, _ in refused}
        for snapshot, term in batch:
            message = snapshot.to_encoded(term)
            if snapshot.id in refused_ids:
                self._watch.note_refusal(message)
            elif snapshot.id not in self.rows:
                self._watch.tell(f"database: stores {snapshot.id} of term {term}")
                self._watch.note_row(message)
                self.rows[snapshot.id] = Row(message, to_ms(snapshot.timestamp))
                insort(self.ids, snapshot.id)
                self.continued.add(snapshot.previous)
        return refused

    def newest(self, count: int) -> list[EncodedSnapshot]:
        """metrics.history.reader.read_newest."""
        return [self.rows[number].message for number in self.ids[-count:]]

    def between(self, after: int, before: int | None, limit: int) -> list[EncodedSnapshot]:
        """metrics.history.reader.read_between."""
        first = bisect_right(self.ids, after)
        end = len(self.ids) if before is None else bisect_left(self.ids, before)
        return [self.rows[number].message for number in self.ids[first : min(end, first + limit)]]


class SimulatedThread:
    """A metrics.database_thread.DatabaseThread without a thread: one question after the other."""

    def __init__(self, database: SimulatedDatabase, path: Path, process: Process) -> None:
        self._database = database
        self._path = path
        self._process = process
        self._asked: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._working: asyncio.Task[None] | None = None
        self._is_closed = False

    async def ask(self, work: Callable[[], Any]) -> Any:
        if self._is_closed:
            raise InterfaceError("closed: this process ends")
        answer = self._path.loop.create_future()
        self._asked.append((work, answer))
        if self._working is None:
            self._working = self._path.loop.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        while self._asked:
            work, answer = self._asked.popleft()
            try:
                result = await Question(self._path, work, self._process.name).ask(self._database.receive)
            except Exception as error:
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(result)
        self._working = None

    def close(self) -> None:
        self._is_closed = True
        for _, answer in self._asked:
            if not answer.done():
                answer.set_exception(InterfaceError("closed: this process ends"))
        self._asked.clear()


class SimulatedStore:
    """A Store (metrics.history.store)."""

    def __init__(self, database: SimulatedDatabase, thread: SimulatedThread) -> None:
        self._database = database
        self._thread = thread

    async def write(self, batch: Sequence[Entry]) -> Refused:
        refused: Refused = await self._thread.ask(lambda: self._database.write(batch))
        return refused

    async def prune(self, before_ms: int, at_most: int) -> int:
        return 0

    async def oldest_ms(self) -> int | None:
        """Nothing here is ever too old."""
        return None

    def close(self) -> None:
        self._thread.close()


class SimulatedReader(HistoryReader):
    """The real reader, which asks a simulated database."""

    def __init__(self, database: SimulatedDatabase, thread: SimulatedThread) -> None:
        super().__init__()
        self._database = database
        self._thread: Any = thread

    async def newest(self, count: int, patience_s: float) -> list[EncodedSnapshot]:
        return await self._ask(lambda: self._database.newest(count), patience_s)

    async def between(
        self, after: int, before: int | None, patience_s: float, limit: int = PAGE
    ) -> list[EncodedSnapshot]:
        return await self._ask(lambda: self._database.between(after, before, limit), patience_s)
