"""The recent snapshots of this process and their order: what clients resume and catch up from."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from streaming.wire import Frame


class RecentSnapshots:
    """The newest `keep` frames (for a while an eighth more), by id."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
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
        self._frames.append(frame)
        self._ids.append(frame.id)
        if len(self._ids) >= self.keep + self._slack:
            del self._frames[: -self.keep], self._ids[: -self.keep]

    def put_before(self, older: Sequence[Frame]) -> None:
        """Keep as many of the `older` frames (oldest first) as there is room for, before those that are kept."""
        room = self.keep - len(self._frames)
        missing = [frame for frame in older if not self._ids or frame.id < self._ids[0]]
        if room > 0 and missing:
            self._frames[:0] = missing[-room:]
            self._ids[:0] = [frame.id for frame in missing[-room:]]

    def after(self, id: int, at_most: int) -> Sequence[Frame]:  # noqa: A002 - the wire's word
        """The oldest frames that are newer than `id`, oldest first."""
        first = bisect_right(self._ids, id)
        return self._frames[first : first + at_most]

    def count_after(self, id: int) -> int:  # noqa: A002
        """How many frames are newer than `id`."""
        return len(self._ids) - bisect_right(self._ids, id)

    def before(self, id: int) -> Frame | None:  # noqa: A002
        """The newest frame that is older than `id`."""
        place = bisect_left(self._ids, id)
        return self._frames[place - 1] if place else None

    def reaches(self, id: int) -> bool:  # noqa: A002
        """Whether all that was published after `id` is kept here, as far as this process knows."""
        if not self._frames:
            return False
        oldest = self._frames[0]
        return id >= oldest.id or (oldest.previous is not None and id >= oldest.previous)
