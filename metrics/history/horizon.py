"""How far history may be deleted for its age, when the clock that says how old it is may be wrong."""

import math

#: Seconds of history that may be deleted in one second. A clock that jumps ahead for an hour costs 60 hours at most,
#: one for a minute an hour, and a server that was off for a week has deleted what was due after three hours.
SPEED = 60.0


class Horizon:
    """The time before which snapshots are deleted. It is never ahead of the oldest one by more than SPEED allows."""

    def __init__(self) -> None:
        self._ms: float | None = None
        self._moved_at = math.nan

    def advance(self, wanted_ms: int, oldest_ms: int, now_s: float) -> int:
        """Move towards `wanted_ms` (Unix ms), what the wall clock and the retention say; return where it is then.

        `oldest_ms`: the oldest snapshot there is; what lies before it is empty, and passed at once. `now_s`: the
        monotonic clock.
        """
        if self._ms is None:
            self._ms, self._moved_at = oldest_ms, now_s
        reachable = max(self._ms, oldest_ms) + SPEED * (now_s - self._moved_at) * 1000
        self._ms, self._moved_at = min(reachable, wanted_ms), now_s
        return math.floor(self._ms)
