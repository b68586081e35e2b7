"""Whether this process hangs in a way that only starting it anew mends.

A database, a Redis or a source that is away is none: each is asked with a deadline, again and again, and a new process
would find it away as well; meanwhile its clients would be sent away for nothing. What hangs here is this process
itself: its loop (then nobody asks, and no pulse is sent), or one of its tasks, against what their deadlines promise.
"""

import asyncio
from collections.abc import Iterable

from streaming.delivery.hub import Hub
from streaming.publishing.publisher import Publisher

#: Seconds beyond the interval that a tick, and what is published in this process, may take to come: all deadlines of a
#: tick together are a few seconds; the rest is for machines that are far too busy.
PATIENCE_S = 30.0


def explain_hang(
    publisher: Publisher | None, hub: Hub, tasks: Iterable["asyncio.Task[None]"], *, is_shared: bool, now: float
) -> str | None:
    """What hangs; None: nothing.

    `tasks`: those that must go on for as long as the process serves. `is_shared`: snapshots come by a Redis, which may
    be why none come. `now`: on the loop's clock.
    """
    for task in tasks:
        if task.done():
            return f"{task.get_name()} has ended"
    if publisher is None:
        return None
    limit_s = publisher.interval_s + PATIENCE_S
    if publisher.ticked_at is not None and now - publisher.ticked_at > limit_s:
        return f"the publisher's tick has not come to its end for {now - publisher.ticked_at:.0f} s"
    if not is_shared and publisher.published_at is not None:
        deaf_s = publisher.published_at - (hub.arrived_at or 0.0)
        if hub.arrived_at is not None and deaf_s > limit_s:
            return f"the hub has not passed on for {deaf_s:.0f} s what is published in this very process"
    return None
