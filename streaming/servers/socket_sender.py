"""Sends straight to a connection's socket while nothing waits before it; what both servers have in common.

A server's own transport queues what it is given, or looks at it from all sides; for a whole frame that the socket takes
at once, neither is needed. What the socket does not take goes to the transport, which tells when it has got rid of it.
"""

import asyncio
import os
from collections.abc import Awaitable
from typing import Any

from streaming.delivery.sending import SteppingBack
from streaming.servers import PINGS_AS_ONE
from streaming.servers.listening import USER_TIMEOUT
from streaming.wire import Frame


class SocketSender:
    """The larger part of a Sender (streaming.delivery.sending); a server's own adds `is_open`, `kept`, `close`, `drop`.

    Its server is to call `step_back` when it writes to the transport something that does not get out at once, `pause`
    and `resume` when the transport keeps too much and when it keeps nothing any more, and `lose` before it closes the
    socket: each in the same callback, before anything else runs.
    """

    __slots__ = ("_client", "_had", "_resumed", "_spared", "_transport", "descriptor")

    def __init__(self, transport: Any, descriptor: int) -> None:
        """`transport`: has `write`. `descriptor`: of its socket, which the kernel watches (watch_peers)."""
        self._transport = transport
        self.descriptor = descriptor
        self._had = self._spared = 0
        self._client: SteppingBack | None = None
        self._resumed: asyncio.Event | None = None  # there while the transport keeps too much

    @property
    def is_open(self) -> bool:
        """Whether frames may still be sent: no goodbye was said, and the socket is not about to be closed."""
        raise NotImplementedError

    @property
    def kept(self) -> int:
        """How many bytes the transport keeps."""
        raise NotImplementedError

    def watch(self, client: SteppingBack | None) -> None:
        """See Sender."""
        self._client = client

    def is_clear(self) -> bool:
        """See Sender."""
        return self.is_open and not self.kept

    def __call__(self, frame: Frame) -> Awaitable[None] | None:
        return self.write(frame.encoded)

    def write(self, data: bytes) -> Awaitable[None] | None:
        """See Sender."""
        if self._resumed is not None:
            return self._write_when_resumed(data, self._resumed)
        if not self.is_open:
            raise ConnectionResetError("the connection is closing")
        if self.kept:  # behind it
            taken = 0
        else:
            try:
                taken = self.put(data)
            except OSError:  # full, or broken: then the transport meets it, too
                taken = 0
        if taken != len(data):
            self._transport.write(data[taken:])
        return None if self._resumed is None else self._wait(self._resumed)

    def put(self, data: bytes) -> int:
        """Give the socket bytes; how many it took. Raises OSError where it takes none."""
        return os.write(self.descriptor, data)

    async def _write_when_resumed(self, data: bytes, resumed: asyncio.Event) -> None:
        await resumed.wait()
        rest = self.write(data)
        if rest is not None:
            await rest

    async def _wait(self, resumed: asyncio.Event) -> None:
        await resumed.wait()

    def spares_ping(self) -> bool:
        """Whether the ping that is due now may be left out: since the last one was, snapshots went to this socket.

        Where the peer is gone its TCP acknowledges none of them, and the kernel ends the connection (tcp(7),
        TCP_USER_TIMEOUT). One in PINGS_AS_ONE goes out all the same: a process that was stopped, and whoever is gone
        behind a proxy, nothing else finds.
        """
        had, self._had = self._had, self._client.has if self._client is not None else 0
        self._spared += 1
        if USER_TIMEOUT is None or self._had <= had or self._spared == PINGS_AS_ONE:
            self._spared = 0
        return self._spared > 0

    def pause(self) -> None:
        """The transport keeps too much for now."""
        if self._resumed is None:
            self._resumed = asyncio.Event()
        self.step_back()

    def resume(self) -> None:
        """The transport keeps nothing any more."""
        if self._resumed is not None:
            self._resumed.set()
            self._resumed = None

    def lose(self) -> None:
        """The socket is about to be closed."""
        self.step_back()
        self.resume()

    def step_back(self) -> None:
        """From now on nobody writes to the socket but through this sender."""
        if self._client is not None:
            self._client.step_back()
