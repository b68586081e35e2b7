"""The recent snapshots of this process and their order: what clients resume and catch up from."""

from bisect import bisect_right
from collections.abc import Sequence

from streaming.wire import Frame


class RecentSnapshots:
    """The newest `keep` frames (for a while an eighth more), by id. `term`: the highest that any had so far."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.term = 0
        self._slack = keep // 8 + 1  # removing the oldest moves all the others: not for each one
        self._frames: list[Frame] = []
        self._ids: list[int] = []

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
            del self._frames[: -self.keep], self._ids[: -self.keep]

    def put_before(self, older: Sequence[Frame]) -> None:
        """Keep as many of the `older` frames (oldest first) as there is room for, before those that are kept."""
        self.term = max([self.term, *(frame.term for frame in older[-1:])])
        room = self.keep - len(self._frames)
        missing = [frame for frame in older if not self._ids or frame.id < self._ids[0]]
        if room > 0 and missing:
            self._frames[:0] = missing[-room:]
            self._ids[:0] = [frame.id for frame in missing[-room:]]

    def next_after(self, id: int) -> Frame | None:  # noqa: A002 - the wire's word
        """The oldest frame that is newer than `id`; None where there is none."""
        place = bisect_right(self._ids, id)
        return self._frames[place] if place < len(self._frames) else None

    def count_after(self, id: int) -> int:  # noqa: A002 - the wire's word
        """How many are newer than `id`."""
        return len(self._ids) - bisect_right(self._ids, id)
