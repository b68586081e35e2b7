"""Who is sent the next snapshot, and how: nearly all of them by one system call each, and by nothing else.

The connections that have everything, and whose sockets are ours to write to, stand in blocks, by the descriptors of
the sockets. A block is written to as a whole, in one loop that runs in C, and what its clients have is known of the
block: not one of them is asked, told or changed. Who takes less than a snapshot steps back and is looked after as
anybody who is behind; and whoever has no such socket is offered each snapshot.

No frame gets to anybody but the client that it is meant for. A descriptor can be somebody else's only after it was
closed, which the servers do on the loop's thread, in a callback; they tell the connection's sender in the same
callback, before anything else runs, and the sender has the client leave its block (streaming.servers.socket_sender).
Nothing else keeps a descriptor, not even a sweep: it goes through a block without giving up the loop, and through the
blocks, not through a copy of them, when it had given it up. So whenever something is written to a descriptor, it is
that of the client beside it. Nothing gets into the midst of something either: where the socket does not take at once
all that the server itself writes, a ping or a goodbye, the sender is told, too.
"""

import os
from collections.abc import Callable
from itertools import repeat

from access.share import Share
from streaming.delivery.client import Block, Client
from streaming.delivery.recent import RecentSnapshots
from streaming.delivery.sharing import show_frame
from streaming.delivery.turns import Turns
from streaming.wire import Frame

#: Clients of a block. To write to all of them takes about half a millisecond, less than the shortest turn.
SIZE = 64

Write = Callable[[int, bytes], int]


class Audience:
    """All clients of one hub. A client is in a block, or among the others."""

    def __init__(self, recent: RecentSnapshots, turns: Turns, write: Write = os.write) -> None:
        """`recent`: its newest snapshot is what whoever has everything has. `turns`: by which the loop is shared.

        `write`: gives a descriptor bytes, and returns how many it took; raises OSError where it takes none.
        """
        self.size = SIZE
        self.written = 0  # snapshots written whole, by one system call each
        self._recent = recent
        self._turns = turns
        self._write_to = write
        self._others: dict[Client, None] = {}  # as a set, in the order in which they came
        self._blocks: list[Block] = []
        self._open: dict[Share | None, Block] = {}  # which block to fill

    @property
    def settled(self) -> int:
        """How many are written to directly."""
        return sum(map(len, self._blocks))

    def add(self, client: Client) -> None:
        """`client` is to be sent what comes."""
        self._others[client] = None
        self.settle(client)

    def remove(self, client: Client) -> None:
        """Send `client` nothing more."""
        self.step_back(client)
        self._others.pop(client, None)

    def settle(self, client: Client) -> None:
        """Write directly to `client` from now on, if it has everything, and nothing waits before its socket."""
        latest, sender = self._recent.latest, client.send_now
        if latest is None or latest.id != client.after or client.block is not None or not sender.is_clear():
            return
        block = self._open.get(client.share)
        if block is None or len(block) >= self.size or block.after != client.after:
            block = self._open[client.share] = self._find_room(client)
        block[sender.descriptor] = client
        client.block = block
        self._others.pop(client, None)

    def _find_room(self, client: Client) -> Block:
        for block in self._blocks:
            if len(block) < self.size and block.after == client.after and block.share == client.share:
                return block
        block = Block(client.after, client.share)
        self._blocks.append(block)
        return block

    def step_back(self, client: Client) -> None:
        """Do not write directly to `client`, until it settles again. What it has is what its block has."""
        if client.block is not None:
            client.after = client.block.after
            del client.block[client.send_now.descriptor]
            client.block = None
            self._others[client] = None

    async def send(self, frame: Frame, before: int) -> None:
        """Send `frame`, the newest, to all who have everything up to the id `before`; the rest is looked after."""
        for block in self._blocks:
            if block.after not in {before, frame.id}:  # the sweep before was broken off: they lack its snapshot
                for client in tuple(block.values()):
                    self.step_back(client)
        self._blocks = [block for block in self._blocks if block]
        self._open.clear()  # links come and go
        others = tuple(self._others)
        turn = self._turns.begin()
        for block in self._blocks:
            if block.after != frame.id:  # else it is one of those who have come meanwhile, and have it
                self._write(block, frame)
                if turn.has_ended():
                    turn = await self._turns.next()
        for number, client in enumerate(others):
            client.offer(frame, before)
            if turn.is_over(number):
                turn = await self._turns.next()

    def _write(self, block: Block, frame: Frame) -> None:
        """Write `frame` to all of `block`, without giving up the loop."""
        encoded = (frame if block.share is None else show_frame(frame, block.share)).encoded
        taken: list[int] = []
        writing = map(self._write_to, block, repeat(encoded))
        while len(taken) < len(block):
            try:
                taken.extend(writing)  # where one fails, those before stay in the list, and the next can go on
            except OSError:  # full, or broken: then its transport meets it, too
                taken.append(0)
        block.after = frame.id
        whole = taken.count(len(encoded))
        self.written += whole
        if whole != len(taken):
            for client, count in zip(tuple(block.values()), taken, strict=True):
                if count != len(encoded):
                    self.step_back(client)
                    client.finish(encoded[count:])
