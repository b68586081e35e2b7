"""Whether a publisher is running that would write into a database which is about to be replaced, or was copied."""

from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from metrics.history.journal_state import look_at_journal
from metrics.sources.redis import safe_address
from streaming.keeping.keeping_error import KeepingError
from streaming.publishing.redis_outlet import LEASE_KEY

#: Seconds that Redis may take.
PATIENCE_S = 2
STOP = "Stop the dashboard (servers and publishers), and try again."


def refuse_unstored(journal: Path) -> None:
    """Raises KeepingError where a journal's database is written to, or has not got all that was published."""
    state = look_at_journal(journal)
    if state.is_written:
        raise KeepingError(f"A publisher is running on this machine (it writes into {journal}). {STOP}")
    if state.unstored:
        raise KeepingError(
            f"{state.unstored} snapshots in {journal} are not in its database yet: start the dashboard with it once "
            "more, and stop it again, which stores them."
        )


def refuse_running(journal: Path, redis_url: str | None) -> None:
    """Raises KeepingError where a publisher is known to run, or where Redis, which would know, does not answer.

    `journal`: the folder in which each publisher of this machine has a file. `redis_url`: where the lease is.
    """
    try:
        state = look_at_journal(journal)
    except OSError as error:
        raise KeepingError(f"The journal {journal} cannot be read: {error.strerror}.") from None
    if state.is_written:
        raise KeepingError(f"A publisher is running on this machine (it writes into {journal}). {STOP}")
    if redis_url is None:
        return
    try:
        with Redis.from_url(redis_url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S) as redis:
            holder = redis.get(LEASE_KEY) if redis.pttl(LEASE_KEY) > 0 else None
    except (RedisError, OSError) as error:
        raise KeepingError(
            f"Redis at {safe_address(redis_url)} does not answer ({error}), so nobody knows whether a publisher runs: "
            "start it, or unset REDIS_URL for this command if you know that none does."
        ) from None
    if holder is not None:
        raise KeepingError(f"A publisher is running: it holds the lease in {safe_address(redis_url)}. {STOP}")
