"""What one client received, written down, and the question whether that is what was published.

The pure part of every check of the promise "none lost, none twice, no hole that is not told": `check_stream --torture`
and the project's own tests keep a ledger for each client, over all its connections, and compare them at the end.
"""

import json
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from streaming.contract import MISSED, is_id

#: Of each kind of violation so many are written out; the rest is counted.
SHOWN = 20


class Entry(NamedTuple):
    """One snapshot in a ledger or in history.

    `content`: a checksum of the message, `missed` left out, which is a client's own; None where it is not known.
    """

    id: int
    previous: int | None
    content: int | None = None


class Hole(NamedTuple):
    """Nothing was received between these two ids.

    `how`: "told" (the message says `missed`), "break" (its `previous` is null) or "untold".
    """

    after: int
    before: int
    how: str


def read_entry(message: dict[str, Any]) -> Entry:
    """The entry of a decoded message. Raises ValueError where its `id` and `previous` are not ids."""
    own: Any = message.get("id")
    previous: Any = message.get("previous")
    if not is_id(own) or not (previous is None or is_id(previous)):
        raise ValueError(f"id {own!r} and previous {previous!r} are not two ids")
    published = {key: value for key, value in message.items() if key != MISSED}
    return Entry(own, previous, zlib.crc32(json.dumps(published, ensure_ascii=False).encode()))


class Ledger:
    """Everything that one client received, in the order in which it came."""

    def __init__(self, after: int | None = None) -> None:
        """`after`: the cursor it begins with, as in `since`; None: its first message is its beginning."""
        self.after = after
        self.last = after
        self.entries: list[Entry] = []
        self.holes: list[Hole] = []
        self.doubled: list[int] = []

    def note(self, message: dict[str, Any]) -> list[str]:
        """Write down a decoded message; return what is wrong with its place, one sentence each.

        What came twice or out of order is not written down; its sentence is all that remains of it.
        """
        try:
            entry = read_entry(message)
        except ValueError as error:
            return [str(error)]
        last = self.last
        if last is not None and entry.id <= last:
            self.doubled.append(entry.id)
            return [f"id {entry.id} came after {last}"]
        self.last = entry.id
        self.entries.append(entry)
        return [] if last is None else self._note_hole(last, entry, message.get(MISSED))

    def _note_hole(self, last: int, entry: Entry, missed: Any) -> list[str]:
        """Write down the hole that a message leaves after the one before, if it does."""
        if entry.previous == last and missed is None:
            return []
        if missed is not None:
            self.holes.append(Hole(last, entry.id, "told"))
            if missed != {"after": last, "before": entry.id}:
                return [f"missed is {missed!r}, but {last} was received last, then {entry.id}"]
            return []
        if entry.previous is None:
            self.holes.append(Hole(last, entry.id, "break"))
            return []
        self.holes.append(Hole(last, entry.id, "untold"))
        if entry.previous < last:
            return [f"fork: {entry.id} follows {entry.previous}, but {last} was received between them"]
        return [f"untold hole: {entry.id} follows {entry.previous}, but {last} was received last"]


@dataclass
class Comparison:
    """What a comparison of ledgers with what was kept found; ids of snapshots, each once however many clients it hit.

    `lost`: kept, and a client that received what came before and after got neither it nor word of a hole.
    `unkept`: received, but not kept. `doubled`: came twice, or after a later one. `differing`: one id, two contents.
    `told`: not received, and the client was told so; that is no violation. `unlinked`: kept, but what it names as its
    previous is neither kept nor null. `sentences`: the violations in words.
    """

    received: int = 0
    lost: set[int] = field(default_factory=set)
    unkept: set[int] = field(default_factory=set)
    doubled: set[int] = field(default_factory=set)
    differing: set[int] = field(default_factory=set)
    unlinked: set[int] = field(default_factory=set)
    told: set[int] = field(default_factory=set)
    holes_told: int = 0
    untold: int = 0
    sentences: list[str] = field(default_factory=list)

    @property
    def is_true_sequence(self) -> bool:
        """Whether nothing was lost, doubled, forked or left untold."""
        return not self.sentences


def compare(ledgers: Sequence[Ledger], rows: Iterable[Entry]) -> Comparison:
    """Compare what clients received with what was kept of that time, oldest first or not.

    `rows` should begin at or before the oldest cursor; what is older than the oldest row is not judged, for it may have
    been deleted for its age. Each ledger must be a subsequence of the rows without a hole that it was not told of.
    """
    kept = {row.id: row for row in rows}
    ids = sorted(kept)
    found = Comparison()
    found.sentences += _check_rows(kept, ids, found)
    known: dict[int, Entry] = dict(kept)
    for number, ledger in enumerate(ledgers, 1):
        found.received += len(ledger.entries)
        sentences = [*_check_entries(ledger, known, ids, found), *_check_holes(ledger, ids, found)]
        found.sentences += [f"client {number}: {sentence}" for sentence in _shorten(sentences)]
    return found


def _check_rows(kept: dict[int, Entry], ids: list[int], found: Comparison) -> Iterator[str]:
    """That what is kept is one chain: each names the one before it, or null."""
    for before, own in pairwise(ids):
        previous = kept[own].previous
        if previous is None or previous == before:
            continue
        found.unlinked.add(own)
        if previous in kept:
            yield f"fork in history: {own} follows {previous}, but {before} is kept between them"
        else:
            yield f"lost from history: {own} follows {previous}, which is not kept; {before} is the one before it"


def _check_entries(ledger: Ledger, known: dict[int, Entry], ids: list[int], found: Comparison) -> Iterator[str]:
    """That each one received is kept, is the same for everybody, and came once."""
    oldest = ids[0] if ids else 0
    for one in ledger.doubled:
        found.doubled.add(one)
        yield f"doubled or out of order: {one}"
    for entry in ledger.entries:
        if entry.id < oldest:
            continue
        other = known.get(entry.id)
        if other is None or other.content is None:  # a row without a checksum: the first client's stands for it
            known[entry.id] = entry
        if other is not None and (other.previous != entry.previous or other.content not in {None, entry.content}):
            found.differing.add(entry.id)
            yield f"two snapshots have the id {entry.id}, with previous {entry.previous} and {other.previous}"
        place = bisect_left(ids, entry.id)
        if place == len(ids) or ids[place] != entry.id:
            found.unkept.add(entry.id)
            yield f"received, but not kept: {entry.id}"


def _check_holes(ledger: Ledger, ids: list[int], found: Comparison) -> Iterator[str]:
    """That nothing is kept between two that it received one after the other, but for what it was told of."""
    told = {(hole.after, hole.before) for hole in ledger.holes if hole.how != "untold"}
    found.holes_told += len(told)
    for hole in ledger.holes:
        if hole.how == "untold":
            found.untold += 1
            yield f"untold hole between {hole.after} and {hole.before}"
    places = [entry.id for entry in ledger.entries]
    if ledger.after is not None:
        places.insert(0, ledger.after)
    for after, before in pairwise(places):
        between = ids[bisect_right(ids, after) : bisect_left(ids, before)]
        if (after, before) in told:
            found.told.update(between)
        elif between:
            found.lost.update(between)
            yield f"{len(between)} kept between {after} and {before} were not received, the first of them {between[0]}"


def _shorten(sentences: list[str]) -> list[str]:
    """The first of many, and how many there are."""
    if len(sentences) <= SHOWN:
        return sentences
    return [*sentences[:SHOWN], f"and {len(sentences) - SHOWN} more"]
