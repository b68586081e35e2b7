"""Reads rows of history one by one, so that one that cannot be read costs nothing but itself.

A newer release may have written a kind of source that this one does not know, before it was taken back; a hand or a
broken disk may have left anything. What such a row leaves is a hole like any other: `previous` shows it.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from metrics.models import SnapshotRecord
from metrics.snapshot import EncodedSnapshot, Snapshot

logger = logging.getLogger(__name__)

Item = TypeVar("Item", EncodedSnapshot, Snapshot)

#: Rows that were named in the log; as they are read again and again, each is named once.
_named: set[int] = set()
MOST_NAMED = 1000


def read_snapshots(records: Iterable[SnapshotRecord]) -> Iterator[Snapshot]:
    """The snapshots of those `records` that can be read."""
    return read_each(records, SnapshotRecord.to_snapshot)


def read_encoded(records: Iterable[SnapshotRecord]) -> Iterator[EncodedSnapshot]:
    """The messages of those `records` that can be read."""
    return read_each(records, SnapshotRecord.to_encoded)


def read_each(records: Iterable[SnapshotRecord], read: Callable[[SnapshotRecord], Item]) -> Iterator[Item]:
    for record in records:
        try:
            yield read(record)
        except ValueError as error:
            name_once(record.id, error)


def name_once(number: int, error: ValueError) -> None:
    """Log that the row with the id `number` is left out."""
    if number not in _named and len(_named) < MOST_NAMED:
        _named.add(number)
        logger.warning("Left out: %s", error)
