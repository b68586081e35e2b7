"""How many connections there may be: in all, of one address, and kept free for those who look after the server."""

import logging
import resource
import time
from collections import Counter

logger = logging.getLogger(__name__)

#: Open files that a process needs besides its connections: databases, Redis, what it reads and writes.
OTHER_FILES = 256
#: More than that nobody has tried.
MOST = 100_000
#: Places for health, the admin and signing in, when all others are taken.
RESERVE = 32
#: Seconds between two lines about those who were refused.
TELL_EVERY_S = 60.0


def raise_file_limit() -> int:
    """Allow this process as many open files as it may have; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return soft
    return hard


def count_places(wanted: int) -> int:
    """How many connections there may be, where `wanted` were asked for (0: as many as open files allow, up to MOST)."""
    files = raise_file_limit()
    able = max(files - OTHER_FILES - RESERVE, 16) if files != resource.RLIM_INFINITY else MOST
    if wanted > able:
        logger.warning(
            "CONNECTIONS=%d needs %d open files, and this process may have %d: ulimit -n, or LimitNOFILE= of systemd.",
            wanted,
            wanted + OTHER_FILES + RESERVE,
            files,
        )
    return min(wanted or MOST, able)


class Places:
    """One process's."""

    def __init__(self, most: int, most_of_one: int, reserve: int = RESERVE) -> None:
        """`most`: connections in all. `most_of_one`: of one address (0: as many as in all). `reserve`: on top."""
        self.most = most
        self.most_of_one = most_of_one
        self.reserve = reserve
        self.taken = 0
        self.refused = 0  # since the start
        self._of: Counter[str] = Counter()
        self._tell_at = 0.0
        self._told = 0

    @property
    def is_reserve(self) -> bool:
        """Whether only the reserve is left."""
        return self.taken > self.most

    def take(self, address: str) -> bool:
        """Take a place for a connection from `address`; False where there is none."""
        if self.taken >= self.most + self.reserve:
            self._refuse(f"all {self.most} are taken (CONNECTIONS)")
            return False
        if self.most_of_one and self._of[address] >= self.most_of_one:
            self._refuse(f"{address} has {self.most_of_one} already (CONNECTIONS_PER_ADDRESS)")
            return False
        self.taken += 1
        if self.most_of_one:
            self._of[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Give a place back that was taken."""
        self.taken -= 1
        if self.most_of_one:
            self._of[address] -= 1
            if not self._of[address]:
                del self._of[address]

    def _refuse(self, reason: str) -> None:
        """Count one, and say so once a minute, however many there are."""
        self.refused += 1
        now = time.monotonic()
        if now >= self._tell_at:
            self._tell_at = now + TELL_EVERY_S
            logger.warning("Connections refused: %s; %d since the last line.", reason, self.refused - self._told)
            self._told = self.refused
