"""The channel layer of a process that is alone (embedded profile)."""

import asyncio
import time
from contextlib import suppress
from typing import Any

from channels.layers import InMemoryChannelLayer


class LocalChannelLayer(InMemoryChannelLayer):  # type: ignore[misc]
    """InMemoryChannelLayer whose groups cost no task, and no deep copy, for each member: nothing in it waits.

    So what is sent to a group is flat: members may change the message that they got, but not what is in it.
    """

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send `message` to each member of `group` that has room for it."""
        self.require_valid_group_name(group)
        self._clean_expired()
        for channel in self.groups.get(group, ()):
            queue = self.channels.get(channel)
            if queue is None:
                queue = self.channels[channel] = asyncio.Queue(self.get_capacity(channel))
            with suppress(asyncio.QueueFull):
                queue.put_nowait((time.time() + self.expiry, dict(message)))
