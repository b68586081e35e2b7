"""The channel layer of a process that is alone (embedded profile)."""

from typing import Any

from channels.exceptions import ChannelFull
from channels.layers import InMemoryChannelLayer

from streaming.mailbox import Mailbox, Message


class LocalChannelLayer(InMemoryChannelLayer):  # type: ignore[misc]
    """InMemoryChannelLayer for a few channels that stay: a message costs no task, no deep copy and no new queue.

    Messages are flat: who receives one may change it, but not what is in it. A channel is read by one task at a time,
    and lasts until it leaves a group, as the hub and the doorkeeper do; one that was in none stays. Nothing in it
    expires: who does not read misses what comes when it is full.
    """

    def __init__(self, **options: Any) -> None:
        """`options`: see InMemoryChannelLayer; of them `capacity` counts, how many messages a channel holds."""
        super().__init__(**options)
        self.channels: dict[str, Mailbox] = {}

    async def send(self, channel: str, message: Message) -> None:
        """Send `message` to `channel`. Raises ChannelFull."""
        if not self._put(channel, message):
            raise ChannelFull(channel)

    async def group_send(self, group: str, message: Message) -> None:
        """Send `message` to each member of `group` that has room for it."""
        for channel in self.groups.get(group, ()):
            self._put(channel, message)

    async def receive(self, channel: str) -> Message:
        """The oldest message that was sent to `channel` and not received yet; waits for one."""
        return await self._find(channel).get()

    async def group_discard(self, group: str, channel: str) -> None:
        """Take `channel` out of `group`, and with it what it has not received."""
        await super().group_discard(group, channel)
        self.channels.pop(channel, None)

    def _put(self, channel: str, message: Message) -> bool:
        """Whether there was room for it."""
        mailbox = self._find(channel)
        has_room: bool = mailbox.qsize() < self.capacity
        if has_room:
            mailbox.put_nowait(dict(message))
        return has_room

    def _find(self, channel: str) -> Mailbox:
        mailbox = self.channels.get(channel)
        if mailbox is None:
            mailbox = self.channels[channel] = Mailbox()
        return mailbox
