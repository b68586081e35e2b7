"""The recent snapshots of this process and their order: what clients resume and catch up from."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from streaming.wire import Frame

#: Snapshots that are joined for those who lack many, and how many such stretches are kept (about 6 KB each).
STRETCH, STRETCHES = 16, 256


class Stretch(NamedTuple):
    """Snapshots that follow one another, as they go onto a socket. `id`: that of the newest of them."""

    id: int
    encoded: bytes


class RecentSnapshots:
    """The newest `keep` frames (for a while an eighth more), by id. `term`: the highest that any had so far."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.term = 0
        self._slack = keep // 8 + 1  # removing the oldest moves all the others: not for each one
        self._frames: list[Frame] = []
        self._ids: list[int] = []
        self._first = 0  # how many have come before the oldest that is kept
        self._stretches: dict[int, Stretch] = {}  # by how many have come before them

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def latest(self) -> Frame | None:
        return self._frames[-1] if self._frames else None

    @property
    def oldest(self) -> Frame | None:
        return self._frames[0] if self._frames else None

    def append(self, frame: Frame) -> None:
        """Keep `frame`, which is newer than all that are kept."""
        self.term = max(self.term, frame.term)
        self._frames.append(frame)
        self._ids.append(frame.id)
        if len(self._ids) >= self.keep + self._slack:
            self._first += len(self._ids) - self.keep
            del self._frames[: -self.keep], self._ids[: -self.keep]

    def put_before(self, older: Sequence[Frame]) -> None:
        """Keep as many of the `older` frames (oldest first) as there is room for, before those that are kept."""
        self.term = max([self.term, *(frame.term for frame in older[-1:])])
        room = self.keep - len(self._frames)
        missing = [frame for frame in older if not self._ids or frame.id < self._ids[0]]
        if room > 0 and missing:
            self._frames[:0] = missing[-room:]
            self._ids[:0] = [frame.id for frame in missing[-room:]]
            self._first -= len(missing[-room:])

    def next_after(self, id: int) -> Frame | None:  # noqa: A002 - the wire's word
        """The oldest frame that is newer than `id`; None where there is none."""
        place = bisect_right(self._ids, id)
        return self._frames[place] if place < len(self._frames) else None

    def join_from(self, frame: Frame) -> Stretch:
        """`frame`, which is kept, and those that follow it: up to STRETCH, and the same for all who lack many."""
        place = bisect_left(self._ids, frame.id)
        number = self._first + place
        if (stretch := self._stretches.get(number)) is not None:
            return stretch
        count = STRETCH - number % STRETCH
        frames = [frame]
        for following in self._frames[place + 1 : place + count]:
            if following.previous not in {None, frames[-1].id}:
                break
            frames.append(following)
        stretch = Stretch(frames[-1].id, b"".join([one.encoded for one in frames]))
        if len(frames) == count:  # nothing can be added to it
            if len(self._stretches) >= STRETCHES:
                self._stretches.clear()
            self._stretches[number] = stretch
        return stretch

    def count_after(self, id: int) -> int:  # noqa: A002 - the wire's word
        """How many are newer than `id`."""
        return len(self._ids) - bisect_right(self._ids, id)
