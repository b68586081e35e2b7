"""What a connection's application receives, in a tenth of the memory.

Servers take an asyncio.Queue for it, which is made for any number of readers and writers and for limits: 3.3 KB while
it is empty, a sixth of all that a connection took. An application is one reader, and its server never waits.
"""

import asyncio
from typing import Any

Message = dict[str, Any]


class Mailbox:
    """As much of an asyncio.Queue as the servers use: `put_nowait`, `empty` and, by one task at a time, `get`."""

    __slots__ = ("_messages", "_reader")

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._reader: asyncio.Future[None] | None = None

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
                raise RuntimeError("Another task waits for this connection's next message.")
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._messages.pop(0)
