"""What somebody is to receive: a connection's application what comes from its client, a hub what is published.

Both are given an asyncio.Queue as a rule, which is made for any number of readers and writers and for limits. For one
reader, and writers that never wait, that is 3.3 KB while it is empty, a sixth of all that a connection took, and a
dozen calls for a message.
"""

import asyncio
from typing import Any

Message = dict[str, Any]


class Mailbox:
    """As much of an asyncio.Queue as is used: `put_nowait`, `qsize`, `empty` and, by one task at a time, `get`."""

    __slots__ = ("_messages", "_reader")

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._reader: asyncio.Future[None] | None = None

    def qsize(self) -> int:
        """How many messages there are. (Not as its length: Daphne takes a queue that is false for none.)"""
        return len(self._messages)

    def empty(self) -> bool:
        """Whether there is nothing to receive."""
        return not self._messages

    def put_nowait(self, message: Message) -> None:
        """Add a message."""
        self._messages.append(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> Message:
        """The oldest message, as soon as there is one. Raises RuntimeError where another task waits for it."""
        while not self._messages:
            if self._reader is not None:
                raise RuntimeError("Another task waits for the next message.")
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._messages.pop(0)
