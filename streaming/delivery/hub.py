"""The hub: this process's single member of the channel-layer group, which sends each snapshot to its connections.

What it promises: a client gets every snapshot that was published, once and in order, from its first one on. The channel
layer may lose messages (it delivers at most once); the hub sees that by `previous` and fetches them from history before
it passes the next one on. The snapshot's text arrives encoded; the ASGI message is made once and shared by all. A sweep
sends directly, without a task or an await per client, and gives the loop a turn every few milliseconds.
"""

import asyncio
import gc
import logging
import math
import time
from bisect import bisect_right
from collections import deque
from typing import Protocol

from channels.layers import BaseChannelLayer
from django.db import Error as DatabaseError

from metrics.snapshot import EncodedSnapshot
from streaming.delivery.client import Client
from streaming.delivery.sending import AsgiSend, make_send_now
from streaming.wire import GROUP, Frame, make_frame

logger = logging.getLogger(__name__)

#: In how many steps the clients are sent away at the end.
DRAIN_BATCHES = 20
#: After how many connections that ended what they leave behind is collected: so many, and this part of those there are.
COLLECT_AFTER, COLLECT_AFTER_PART = 1000, 0.25
#: Seconds that a process which starts waits for history, and that a gap waits to be healed from it.
HISTORY_PATIENCE_S = 2.0
LATE_HISTORY_PATIENCE_S = 60.0
HEALING_PATIENCE_S = 1.0


class History(Protocol):
    """Where missed snapshots are fetched from; see metrics.history.reader.HistoryReader."""

    async def newest(self, count: int, patience_s: float) -> list[EncodedSnapshot]: ...

    async def between(self, after: float, before: float, patience_s: float) -> list[EncodedSnapshot]: ...


class Hub:
    """Keeps the recent snapshots and this process's clients, and brings the ones to the others."""

    #: Clients that are sent to before the loop gets a turn: under a millisecond. A request takes many turns: with 100
    #: clients for each, /stream/health took up to 117 ms beside 20,000 of them.
    sweep_chunk = 40

    def __init__(self, *, keep: int = 1200, patience_s: float = 30.0, history: History | None = None) -> None:
        """`keep`: how many snapshots stay for resuming. `patience_s`: how long one send may wait for its client."""
        self.patience_s = patience_s
        self.clients: set[Client] = set()
        self.dropped = 0  # snapshots that were not newer than the last
        self.healed = 0  # snapshots that the channel layer lost and history had
        self.gaps = 0  # times that history had not all of them either
        self.stuck = 0  # clients closed because they did not read
        self.started = time.time()
        self.is_ready = asyncio.Event()
        self._history = history
        self._left = 0  # connections that ended since the last collection
        self.is_draining = False  # told the clients to come back: nobody new stays
        self._recalling: asyncio.Task[None] | None = None
        self._frames: deque[Frame] = deque(maxlen=keep)
        self.end = 0  # sequence number that the next frame will get; those of older ones may be negative

    # --- the recent snapshots ---

    @property
    def first(self) -> int:
        """Sequence number of the oldest frame that is kept."""
        return self.end - len(self._frames)

    @property
    def latest(self) -> Frame | None:
        return self._frames[-1] if self._frames else None

    def frame(self, sequence: int) -> Frame | None:
        """The frame with this number, the oldest one kept where it is gone already, None where it is yet to come."""
        if sequence >= self.end:
            return None
        return self._frames[max(sequence - self.first, 0)]

    def sequence_after(self, timestamp: float) -> int:
        """Number of the first frame newer than `timestamp` (Unix seconds)."""
        return self.first + bisect_right(self._frames, timestamp, key=lambda frame: frame.timestamp)

    def _keep(self, frame: Frame) -> None:
        self._frames.append(frame)
        self.end += 1

    # --- the clients ---

    def join(self, send: AsgiSend, *, since: float | None = None) -> Client:
        """Add an accepted connection: it gets the latest snapshot (or all after `since`), then every new one.

        `send` is its ASGI send.
        """
        first = max(self.end - 1, self.first) if since is None else self.sequence_after(since)
        client = Client(self, make_send_now(send), first)
        self.clients.add(client)
        client.catch_up()
        return client

    def leave(self, client: Client) -> None:
        """Remove a connection; nothing of it stays behind. Removing it again does nothing."""
        if client in self.clients:
            self.clients.remove(client)
            self._left += 1
        client.forget()

    def _collect_what_left(self) -> None:
        """Collect garbage if many connections ended: in servers they are cycles (in Daphne of 14 KB each).

        Done here, between two snapshots, so that none waits for it: it takes some 35 ms for each 1,000 connections that
        are open, and would otherwise come while one goes out. See Runtime.tune_garbage_collection.
        """
        if not self.is_draining and self._left >= max(COLLECT_AFTER, COLLECT_AFTER_PART * len(self.clients)):
            self._left = 0
            gc.collect()

    def note_stuck(self) -> None:
        """Count and log a client that let one send wait longer than `patience_s`."""
        self.stuck += 1
        logger.warning("A client did not read for %.0f s and is closed (1013); it can resume.", self.patience_s)

    # --- passing on ---

    async def pass_on(self, frame: Frame) -> None:
        """Keep `frame` and send it to every client, after whatever was lost before it.

        One that is not newer than the last is dropped and counted.
        """
        latest = self.latest
        if latest is not None:
            if frame.timestamp <= latest.timestamp:
                self.dropped += 1
                return
            if frame.previous is not None and frame.previous > latest.timestamp:
                for missed in await self._fetch_missed(latest.timestamp, frame):
                    await self._sweep(missed)
        await self._sweep(frame)

    async def _sweep(self, frame: Frame) -> None:
        sequence = self.end
        self._keep(frame)
        for number, client in enumerate(tuple(self.clients), 1):
            client.offer(frame, sequence)
            if number % self.sweep_chunk == 0:
                await asyncio.sleep(0)
        self._collect_what_left()

    async def _fetch_missed(self, after: float, frame: Frame) -> list[Frame]:
        """What history has between `after` and `frame`; waits a little for what its writer has still in hand."""
        missed: list[Frame] = []
        give_up = time.monotonic() + HEALING_PATIENCE_S
        while self._history is not None and time.monotonic() < give_up:
            start = missed[-1].timestamp if missed else after
            try:
                found = await self._history.between(start, frame.timestamp, HEALING_PATIENCE_S)
            except (TimeoutError, DatabaseError) as error:
                logger.debug("History does not help to close a gap: %s", error)
                break
            missed += [make_frame(*message) for message in found]
            if missed and missed[-1].timestamp == frame.previous:
                self.healed += len(missed)
                return missed
            if not found:
                await asyncio.sleep(0.05)
        self.gaps += 1
        logger.warning(
            "A gap stays in the stream between %.3f and %.3f: neither the channel layer nor history has all of it.",
            after,
            frame.timestamp,
        )
        return missed

    async def run(self, layer: BaseChannelLayer) -> None:
        """Join the group and pass on what comes, until cancelled. Raises what the channel layer raises."""
        await self.recall()
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        membership = asyncio.create_task(self._stay_member(layer, channel))
        try:
            while True:
                received = await layer.receive(channel)
                await self.pass_on(make_frame(received["timestamp"], received["previous"], received["text"]))
        finally:
            membership.cancel()
            await asyncio.wait([membership])
            await self._leave_group(layer, channel)

    async def _leave_group(self, layer: BaseChannelLayer, channel: str) -> None:
        """Leave nothing behind that the layer would go on to fill."""
        try:
            async with asyncio.timeout(1):
                await layer.group_discard(GROUP, channel)
        except Exception as error:  # the layer is away: the membership ends by itself
            logger.debug("Could not leave %s: %s", GROUP, error)

    async def aclose(self) -> None:
        """End the recall from history, if it still goes on."""
        if self._recalling is not None:
            self._recalling.cancel()
            await asyncio.wait([self._recalling])

    async def recall(self) -> None:
        """Fill the hub from history, so that a restart loses nothing of what clients may resume from.

        Returns when that is done, or after HISTORY_PATIENCE_S; it then goes on until history answers.
        """
        if self._recalling is None and self._history is not None:
            self._recalling = asyncio.create_task(self._recall_from(self._history))
        if self._recalling is not None:
            await asyncio.wait([self._recalling], timeout=HISTORY_PATIENCE_S)
            if not self._recalling.done():
                logger.warning("Starting without the recent snapshots: history does not answer yet.")
        self.is_ready.set()

    async def _recall_from(self, history: History) -> None:
        while True:
            try:
                found = await history.newest(self._frames.maxlen or 1, LATE_HISTORY_PATIENCE_S)
                break
            except (TimeoutError, DatabaseError) as error:
                logger.debug("History does not answer: %s", error)
                await asyncio.sleep(HISTORY_PATIENCE_S)
        oldest = self._frames[0].timestamp if self._frames else math.inf
        room = (self._frames.maxlen or 1) - len(self._frames)
        older = [make_frame(*message) for message in found if message.timestamp < oldest]
        # Numbers count from the newest, so that those of what is here already stay.
        self._frames.extendleft(reversed(older[-room:] if room else []))

    async def _stay_member(self, layer: BaseChannelLayer, channel: str) -> None:
        """Join again and again: layers forget members after `expiry` or `group_expiry`, however alive they are."""
        pause_s = min(getattr(layer, "expiry", 60), getattr(layer, "group_expiry", 86400)) / 3
        while True:
            await asyncio.sleep(pause_s)
            try:
                await layer.group_add(GROUP, channel)
            except Exception as error:  # the layer is away; its return is seen at the next turn
                logger.debug("Could not renew the membership of %s: %s", GROUP, error)

    # --- the end ---

    async def drain(self, within_s: float) -> None:
        """Tell all clients to come back (1012), in batches spread over `within_s` seconds so that they do in turn."""
        self.is_draining = True
        clients = tuple(self.clients)
        batch = max(len(clients) // DRAIN_BATCHES, 50)
        for start in range(0, len(clients), batch):
            if start:
                await asyncio.sleep(within_s / DRAIN_BATCHES)
            await asyncio.gather(
                *(client.close(1012, patience_s=within_s / DRAIN_BATCHES) for client in clients[start : start + batch])
            )
