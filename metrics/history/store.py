"""Where the writer puts snapshots, and the fence before it: nothing of an older term gets in after a newer one."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple, Protocol

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Min

from metrics.catalogue import Value
from metrics.database_thread import DatabaseThread
from metrics.models import SnapshotRecord
from metrics.plain_sql import execute, find_placeholder, own_connection
from metrics.snapshot import Snapshot

#: A snapshot with the term of whoever published it.
Entry = tuple[Snapshot, int]
#: The entries that a store did not take.
Refused = Sequence[Entry]

#: What all writers lock on PostgreSQL, any number that nobody else uses.
LOCK = zlib.crc32(b"quantum dashboard: history")


class Store(Protocol):
    """What HistoryWriter writes to."""

    async def write(self, batch: Sequence[Entry]) -> Refused:
        """Store what is not there yet, all or nothing, and return what may not get in.

        Raises django.db.Error and OSError where the store is away; where it cannot hold something DataError and
        IntegrityError (of django.db), ValueError and OverflowError.
        """

    async def prune(self, before_ms: int, at_most: int) -> int:
        """Delete the oldest snapshots from before a time (Unix ms) and return how many. Raises as `write`."""

    async def oldest_ms(self) -> int | None:
        """The lowest time that is stored, Unix ms; None: there is nothing. Raises as `write`."""

    def close(self) -> None:
        """Let go of what is under way; nothing more will be asked."""


class DatabaseStore:
    """History in the database, written in a thread of its own. A Store."""

    def __init__(self, beside: Callable[[], None] | None = None) -> None:
        """`beside`: done there after each write, on the same connection; nobody waits for it."""
        self._beside = beside
        self._thread = DatabaseThread("history-writer")

    async def write(self, batch: Sequence[Entry]) -> Refused:
        """See Store."""
        written = self._thread.ask(lambda: write(batch))
        if self._beside is not None:
            self._thread.tell(self._beside)
        return await written

    async def prune(self, before_ms: int, at_most: int) -> int:
        """See Store."""
        return await self._thread.ask(lambda: prune(before_ms, at_most))

    async def oldest_ms(self) -> int | None:
        """See Store."""
        return await self._thread.ask(find_oldest_ms)

    def close(self) -> None:
        """See Store."""
        self._thread.close()


def write(batch: Sequence[Entry]) -> Refused:
    """Insert `batch` in one transaction, as far as it may get in (blocking). Raises django.db.Error."""
    if len(batch) == 1 and insert_next(*batch[0]):  # as nearly always
        return []
    with transaction.atomic():
        refused = find_refused(batch, *lock_and_find_newest())
        ids = {snapshot.id for snapshot, _ in refused}
        insert([SnapshotRecord.columns_of(*entry) for entry in batch if entry[0].id not in ids])
    return refused


def insert_next(snapshot: Snapshot, term: int) -> bool:
    """Insert `snapshot` if it comes after all that are stored, and no tenure after its own has begun (blocking).

    Returns whether it did: look and insertion are one question to the database, no other writer comes between them (see
    lock_and_find_newest), and it is a transaction of its own. Raises django.db.Error.
    """
    insertion = Insertion.make()
    row = SnapshotRecord.columns_of(snapshot, term)
    cursor = execute(insertion.of_next, [*map(row.get, insertion.columns), snapshot.id, term])
    if own_connection().vendor == "postgresql":
        cursor.nextset()  # the first is the lock's
    return bool(cursor.rowcount == 1)


def insert(rows: Sequence[Mapping[str, Value]]) -> None:
    """Insert rows, by their columns' names; one that is there stays as it is (blocking). Raises django.db.Error."""
    insertion = Insertion.make()
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.executemany(insertion.of_any, [[*map(row.get, insertion.columns)] for row in rows])


class Insertion(NamedTuple):
    """How a row is inserted, as text: that Django makes it anew, and an object for each row, took longer than the rest.

    `columns`: of a row, in their order. `of_any`: a row that is there stays as it is. `of_next`, for plain_sql: see
    insert_next; after the row's values it takes its id and its term.
    """

    columns: Sequence[str]
    of_any: str
    of_next: str

    @classmethod
    @cache
    def make(cls) -> "Insertion":
        """For the columns that the catalogue asks for."""
        columns = [field.name for field in SnapshotRecord._meta.concrete_fields]
        table, names = quote(SnapshotRecord._meta.db_table), ", ".join(map(quote, columns))
        into, mark = f"INSERT INTO {table} ({names})", find_placeholder()
        lock = f"SELECT pg_advisory_xact_lock({LOCK}); " if own_connection().vendor == "postgresql" else ""
        newest_term = f"(SELECT term FROM {table} ORDER BY id DESC LIMIT 1)"  # noqa: S608 - our names
        is_next = f"NOT EXISTS (SELECT 1 FROM {table} WHERE id >= {mark}) AND COALESCE({newest_term}, 0) <= {mark}"  # noqa: S608
        return cls(
            columns,
            f"{into} VALUES ({', '.join(['%s'] * len(columns))}) ON CONFLICT DO NOTHING",
            f"{lock}{into} SELECT {', '.join([mark] * len(columns))} WHERE {is_next}",
        )


def quote(name: str) -> str:
    """A column's name as SQL has it (SQLite and PostgreSQL alike)."""
    return f'"{name}"'


def lock_and_find_newest() -> tuple[int, int]:
    """The id and the term of the newest row, -1 and 0 where there is none (blocking). Raises django.db.Error.

    Before it looks it waits until no other writer is between its look and its commit; and keeps them waiting until the
    transaction's end. On SQLite each transaction is IMMEDIATE (settings.DATABASES): it holds the lock from its
    beginning. On PostgreSQL lock and look are asked in one, and the look sees what was committed when the lock was had:
    each statement takes a snapshot of its own (READ COMMITTED).
    """
    connection = connections[DEFAULT_DB_ALIAS]
    look = f'SELECT id, term FROM "{SnapshotRecord._meta.db_table}" ORDER BY id DESC LIMIT 1'  # noqa: S608 - our name
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SELECT pg_advisory_xact_lock({LOCK}); {look}")
            cursor.nextset()
        else:
            cursor.execute(look)
        return cursor.fetchone() or (-1, 0)


def find_refused(batch: Sequence[Entry], newest_id: int, newest_term: int) -> list[Entry]:
    """Which of `batch` may not get in, after that newest row (blocking). Raises django.db.Error.

    A tenure is over when a snapshot of a newer one is stored. What comes of an older one then was published before (its
    writer was slow), and somebody continued it: a newer snapshot names it as its `previous`. Or nobody did: then it is
    of a publisher that had lost its lease. And an id has one snapshot: another one with the same is refused.
    """
    if is_all_new(batch, newest_id, newest_term):
        return []  # as nearly always
    ids = [snapshot.id for snapshot, _ in batch]
    rows = SnapshotRecord.objects.filter(id__in=ids).values_list("id", "term", "previous")
    stored = {number: (term, previous) for number, term, previous in rows}
    continued = set(SnapshotRecord.objects.filter(id__gt=min(ids), previous__in=ids).values_list("previous", flat=True))
    return choose_refused(batch, newest_term, stored, continued)


def choose_refused(
    batch: Sequence[Entry], newest_term: int, stored: Mapping[int, tuple[int, int | None]], continued: set[int | None]
) -> list[Entry]:
    """Which of `batch` may not get in, where the newest that is stored is of `newest_term`.

    `stored`: term and `previous` of those of the batch's ids that are there. `continued`: the ids that a stored
    snapshot names as its `previous`; the batch's own are added.
    """
    refused = []
    for entry in sorted(batch, key=lambda entry: entry[0].id, reverse=True):
        snapshot, term = entry
        if snapshot.id in stored:
            may_enter = stored[snapshot.id] == (term, snapshot.previous)
        else:
            may_enter = term >= newest_term or snapshot.id in continued
        if not may_enter:
            refused.append(entry)
            continue
        newest_term = max(newest_term, term)
        if snapshot.previous is not None:
            continued.add(snapshot.previous)
    return refused[::-1]


def is_all_new(batch: Sequence[Entry], newest_id: int, newest_term: int) -> bool:
    """Whether ids rise from the newest on, and each term goes on with what the one before has published."""
    return all(snapshot.id > newest_id and term >= newest_term for snapshot, term in batch) and all(
        before.id < after.id and (older == newer or (older < newer and after.previous == before.id))
        for (before, older), (after, newer) in pairwise(batch)
    )


def prune(before_ms: int, at_most: int) -> int:
    """Delete the oldest rows from before a time and return how many (blocking). Raises django.db.Error."""
    old = SnapshotRecord.objects.filter(time_ms__lt=before_ms).order_by("time_ms")
    ids = list(old.values_list("id", flat=True)[:at_most])
    if ids:
        SnapshotRecord.objects.filter(id__in=ids).delete()  # one plain DELETE: nothing refers to them
    return len(ids)


def find_oldest_ms() -> int | None:
    """The lowest time of all rows, Unix ms (blocking). Raises django.db.Error."""
    found: int | None = SnapshotRecord.objects.aggregate(oldest=Min("time_ms"))["oldest"]
    return found
