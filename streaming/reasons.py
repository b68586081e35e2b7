"""Says what is not as it should be: a sentence for each, with what to do about it."""

from collections.abc import Iterator
from typing import Any

from metrics.catalogue import SourceKind

Report = dict[str, Any]

#: What waits for the database longer than this is worth a word, in intervals and at least in seconds.
BACKLOG_INTERVALS, BACKLOG_AT_LEAST_S = 3, 3.0
#: A clock that differs by more than this many seconds from Redis's is wrong, or Redis's is.
CLOCK_OFFSET_S = 1.0
#: Staff's choice is read at each tick; it is old after so many of them, and at least so many seconds.
CHOICE_INTERVALS, CHOICE_AT_LEAST_S = 3, 2.0
#: Seconds that nobody should have to wait for a turn of the loop.
LONGEST_WAIT_S = 1.0


def find_reasons(report: Report) -> list[str]:
    """Every reason why a health report is not `ok`."""
    return [
        *reasons_of_checks(report),
        *reasons_of_stream(report),
        *reasons_of_publisher(report),
        *reasons_of_history(report),
        *reasons_of_groups(report["groups"]),
    ]


def reasons_of_checks(report: Report) -> Iterator[str]:
    """What the stream depends on and does not answer."""
    for name, result in report["checks"].items():
        if not result["ok"] and result.get("used", True):
            yield f"{name.replace('_', ' ').capitalize()}: {result['error']}."


def reasons_of_stream(report: Report) -> Iterator[str]:
    """What went wrong with the sequence in this process."""
    if report["id"] is None:
        yield "No snapshot yet."
    if report["recovering"]:
        yield "Recovering: the recent snapshots are not read from history yet; clients may be told of holes until then."
    if forks := report["stream"]["forks"]:
        yield (
            f"The sequence forked {forks} times since this process began: two publishers published at once. Do all "
            "processes use one REDIS_URL, and does no other program write keys that begin with quantum: there?"
        )
    if (longest := report["loop"]["longest_wait"]) > LONGEST_WAIT_S:
        yield (
            f"The event loop kept others waiting for {longest:.1f} s in the last half minute: this machine is too "
            "busy, or a process has too many clients (start more of them)."
        )


def reasons_of_publisher(report: Report) -> Iterator[str]:
    """What keeps this process's publisher from its work."""
    lease, choice = report["lease"], report["choice"]
    if lease is None:
        return
    if lease["error"]:
        yield f"The publishers' lease: {lease['error']}. Is the Redis at REDIS_URL up?"
    offset = lease["clock_offset"]
    if offset is not None and abs(offset) > CLOCK_OFFSET_S:
        way = "ahead of" if offset > 0 else "behind"
        yield f"This host's clock is {abs(offset):.1f} s {way} Redis's; timestamps are wrong. Synchronise both (NTP)."
    limit_s = max(CHOICE_INTERVALS * report["interval"], CHOICE_AT_LEAST_S)
    if report["publisher"] == "leader" and choice["age"] > limit_s:
        yield (
            f"Staff's choice of sources was last read {choice['age']:.0f} s ago: what they switched since is not in "
            "effect. Does the database answer?"
        )


def reasons_of_history(report: Report) -> Iterator[str]:
    """What is published and not kept."""
    history = report["history"]
    if history is None:
        return
    limit_s = max(BACKLOG_INTERVALS * report["interval"], BACKLOG_AT_LEAST_S)
    is_old = history["oldest"] > limit_s
    if history["waiting"] and (history["error"] or is_old):
        why = history["error"] or f"no answer for {history['oldest']:.0f} s"
        yield f"History: {history['waiting']} snapshots wait for the database ({why})."
    if history["given_up"]:
        yield f"History gave up {history['given_up']} snapshots: the database was away too long. They are lost."
    if history["fenced_off"]:
        yield (
            f"History refuses what this process publishes ({history['refused']} snapshots so far, they are lost): "
            "another publisher has written into the same database in a later term. Give all of them one REDIS_URL, or "
            "each a database of its own; then start this one again."
        )
    elif history["others"]:
        yield (
            f"{history['others']} other publishers on this machine publish into the same database, and no REDIS_URL "
            "keeps them apart: the clients of each get another stream, and history keeps only the one that started "
            "last. End the others, or give all of them one REDIS_URL, or each a database of its own."
        )
    if history["journal_error"]:
        yield f"The journal of snapshots cannot be written: {history['journal_error']}. Look at STREAM_JOURNAL."


def reasons_of_groups(groups: Report) -> Iterator[str]:
    """What a group's source cannot answer.

    What this host cannot know (its containers, from inside one) is a trait of the machine, not a failure.
    """
    for name, group in groups.items():
        problems = {
            key: problem
            for key, problem in group["problems"].items()
            if not (group["source"] == SourceKind.HOST and problem == "missing")
        }
        if problems:
            listed = ", ".join(f"{key} {problem}" for key, problem in problems.items())
            yield f"Group {name} ({group['source']}): {listed}."
