"""The hub: this process's single member of the channel-layer group, which sends each snapshot to its connections.

What it promises: a client gets every snapshot that was published, once and in order, from its first one on. The channel
layer may lose messages (it delivers at most once); the hub sees that by `previous` and fetches them from history before
it passes the next one on. The snapshot's text arrives encoded; its frame is made once and shared by all. A sweep sends
directly, without a task or an await per client, and gives the loop a turn every few milliseconds.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from channels.layers import BaseChannelLayer
from django.db import Error as DatabaseError

from metrics.snapshot import EncodedSnapshot
from streaming.delivery.client import Client
from streaming.delivery.recent import RecentSnapshots
from streaming.delivery.sending import AsgiSend, AsgiSender, MakeSender
from streaming.wire import GROUP, Frame, read_layer_message

logger = logging.getLogger(__name__)

#: In how many steps the clients are sent away at the end.
DRAIN_BATCHES = 20
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

    def __init__(
        self,
        *,
        keep: int = 1200,
        patience_s: float = 30.0,
        history: History | None = None,
        make_sender: MakeSender = AsgiSender,
        on_swept: Callable[[], None] = lambda: None,
    ) -> None:
        """`keep`: how many snapshots stay for resuming. `patience_s`: how long one send may wait for its client.

        `make_sender`: how to send to a connection. `on_swept`: called when a snapshot has gone to all clients.
        """
        self.recent = RecentSnapshots(keep)
        self.patience_s = patience_s
        self.clients: set[Client] = set()
        self.make_sender = make_sender
        self.left = 0  # connections that ended
        self.dropped = 0  # snapshots that were not newer than the last
        self.healed = 0  # snapshots that the channel layer lost and history had
        self.gaps = 0  # times that history had not all of them either
        self.stuck = 0  # clients closed because they did not read
        self.sender: str | None = None  # what sends to the client that came last, by its name
        self.started = time.time()
        self.is_ready = asyncio.Event()
        self.is_draining = False  # told the clients to come back: nobody new stays
        self._history = history
        self._on_swept = on_swept
        self._leave = self.leave  # one bound method for all clients
        self._recalling: asyncio.Task[None] | None = None

    # --- the clients ---

    def join(self, send: AsgiSend, *, since: float | None = None) -> Client:
        """Add an accepted connection: it gets the latest snapshot (or all after `since`), then every new one.

        `send` is its ASGI send.
        """
        recent = self.recent
        first = max(recent.end - 1, recent.first) if since is None else recent.sequence_after(since)
        sender = self.make_sender(send)
        self.sender = sender.name
        client = Client(recent, sender, first=first, patience_s=self.patience_s, leave=self._leave)
        self.clients.add(client)
        client.catch_up()
        return client

    def leave(self, client: Client) -> None:
        """Remove a connection; nothing of it stays behind. Removing it again does nothing."""
        if client in self.clients:
            self.clients.remove(client)
            self.left += 1
            if client.was_stuck:
                self.stuck += 1
                logger.warning("A client did not read for %.0f s and is closed (1013); it can resume.", self.patience_s)
        client.forget()

    # --- passing on ---

    async def pass_on(self, frame: Frame) -> None:
        """Keep `frame` and send it to every client, after whatever was lost before it.

        One that is not newer than the last is dropped and counted.
        """
        latest = self.recent.latest
        if latest is not None:
            if frame.timestamp <= latest.timestamp:
                self.dropped += 1
                return
            if frame.previous is not None and frame.previous > latest.timestamp:
                for missed in await self._fetch_missed(latest.timestamp, frame):
                    await self._sweep(missed)
        await self._sweep(frame)

    async def _sweep(self, frame: Frame) -> None:
        sequence = self.recent.append(frame)
        for number, client in enumerate(tuple(self.clients), 1):
            client.offer(frame, sequence)
            if number % self.sweep_chunk == 0:
                await asyncio.sleep(0)
        self._on_swept()

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
            missed += [Frame(*message) for message in found]
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
                await self.pass_on(read_layer_message(received))
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
                found = await history.newest(self.recent.keep, LATE_HISTORY_PATIENCE_S)
                break
            except (TimeoutError, DatabaseError) as error:
                logger.debug("History does not answer: %s", error)
                await asyncio.sleep(HISTORY_PATIENCE_S)
        self.recent.put_before([Frame(*message) for message in found])

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
