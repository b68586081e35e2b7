"""When this process looks for garbage: rarely by itself, and in full when many connections ended.

What a server leaves of a connection are cycles (in Daphne of 14 KB each), which only the collector finds. With Python's
own thresholds it looks after every 700 new objects, which in a storm of connections is every few of them, and each time
again through all that are there already.
"""

import ctypes
import gc
from contextlib import suppress

#: After how many connections that ended what they left is collected: so many, and this part of those there are.
COLLECT_AFTER, COLLECT_AFTER_PART = 1000, 0.25


def tune_garbage_collection() -> None:
    """Have Python look for cycles less often.

    What was imported so far is never garbage: it is left out. The second generation often enough for what handshakes
    leave behind. The third, which takes as long as there are connections (0.7 s with 19,000 on Daphne), hardly ever:
    see GarbageCollection.
    """
    share_arenas()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 5, 100)


def share_arenas() -> None:
    """Have all threads take memory from two places (glibc's mallopt(3), M_ARENA_MAX); elsewhere this does nothing.

    With one for each thread, what a thread gave back no other one gets: 40 exports left 10 MB more behind.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(-8, 2)


class GarbageCollection:
    """Collects in full, between two snapshots, what many ended connections left behind."""

    def __init__(self) -> None:
        self._collected = 0

    def collect_if_due(self, *, left: int, connected: int) -> None:
        """`left`: how many connections ended since this process began; `connected`: how many there are now.

        To be called when a snapshot has just gone out, so that none waits: it takes some 35 ms for each 1,000
        connections that are open.
        """
        if left - self._collected >= max(COLLECT_AFTER, COLLECT_AFTER_PART * connected):
            self._collected = left
            gc.collect()
