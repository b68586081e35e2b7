"""The recent snapshots of this process and their order: what clients resume and catch up from."""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence

from streaming.wire import Frame


class RecentSnapshots:
    """The newest `keep` frames, each with a sequence number of this process.

    Numbers count on from 0, the first frame that arrived here; what is recalled from before it has negative ones.
    """

    def __init__(self, keep: int) -> None:
        self._frames: deque[Frame] = deque(maxlen=keep)
        self.end = 0  # the number that the next frame will get

    @property
    def first(self) -> int:
        """Number of the oldest frame that is kept."""
        return self.end - len(self._frames)

    @property
    def keep(self) -> int:
        """How many frames are kept."""
        return self._frames.maxlen or 1

    @property
    def latest(self) -> Frame | None:
        return self._frames[-1] if self._frames else None

    def frame(self, sequence: int) -> Frame | None:
        """The frame with this number, the oldest one kept where it is gone already, None where it is yet to come."""
        if sequence >= self.end:
            return None
        return self._frames[max(sequence - self.first, 0)]

    def sequence_after(self, timestamp: float) -> int:
        """Number of the first frame newer than `timestamp` (Unix seconds)."""
        return self.first + bisect_right(self._frames, timestamp, key=lambda frame: frame.timestamp)

    def append(self, frame: Frame) -> int:
        """Keep `frame`, the newest; returns its number."""
        self._frames.append(frame)
        self.end += 1
        return self.end - 1

    def put_before(self, older: Sequence[Frame]) -> None:
        """Keep as many of the `older` frames (oldest first) as there is room for, left of what is kept already."""
        oldest = self._frames[0].timestamp if self._frames else None
        missing = [frame for frame in older if oldest is None or frame.timestamp < oldest]
        room = self.keep - len(self._frames)
        if room:  # numbers count from the newest, so that those of what is here already stay
            self._frames.extendleft(reversed(missing[-room:]))
