"""The hub: this process's single member of the channel-layer group, which sends each snapshot to its connections.

What it promises: a client gets every snapshot that was published, once and in order, from its first one on; where one
cannot be had from anywhere, the next one says so. The channel layer may lose messages (it delivers at most once); the
hub sees that by `previous` and fetches them from the past before it passes the next one on. The snapshot's text arrives
encoded; its frame is made once and shared by all. A sweep sends directly, without a task or an await per client.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable

from channels.layers import BaseChannelLayer

from access.viewer import Admission
from streaming.delivery.audience import Audience, Write
from streaming.delivery.catch_up import CatchUp
from streaming.delivery.client import FROM_NEXT, AdmittedClient, Client
from streaming.delivery.close_codes import COME_BACK
from streaming.delivery.healing import Healing
from streaming.delivery.membership import join_group
from streaming.delivery.past import Past
from streaming.delivery.recent import RecentSnapshots
from streaming.delivery.sending import AsgiSend, AsgiSender, MakeSender
from streaming.delivery.turns import Turns
from streaming.durations import Durations
from streaming.wire import Frame, read_layer_message

logger = logging.getLogger(__name__)

#: In how many steps the clients are sent away at the end.
DRAIN_BATCHES = 20


class Hub:
    """Keeps the recent snapshots and this process's clients, and brings the ones to the others."""

    def __init__(
        self,
        *,
        keep: int = 1200,
        patience_s: float = 30.0,
        past: Past | None = None,
        make_sender: MakeSender = AsgiSender,
        on_swept: Callable[[], None] = lambda: None,
        write: Write = os.write,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`keep`: how many snapshots stay for resuming. `patience_s`: how long one send may wait for its client.

        `past`: who has what this process lacks. `make_sender`: how to send to a connection. `on_swept`: called when a
        snapshot has gone to all clients. `write`: to sockets, see Audience. `clock`: seconds, monotonic and precise, by
        which the loop is shared.
        """
        self.recent = RecentSnapshots(keep)
        self.patience_s = patience_s
        self.clients: set[Client] = set()
        self.make_sender = make_sender
        self.left = 0  # connections that ended
        self.dropped = 0  # snapshots that came again
        self.refused = 0  # snapshots of a publisher whose term was over
        self.healed = 0  # snapshots that the channel layer lost and the past had
        self.gaps = 0  # times that the past had not all of them either
        self.breaks = 0  # times that a publisher did not know what was published before
        self.forks = 0  # times that one did not continue the newest snapshot
        self.sweeps = Durations()  # of sending one snapshot to all who have what is before it
        self.stuck = 0  # clients closed because they did not read
        self._tell_stuck_at = 0.0  # on the loop's clock
        self.sender: str | None = None  # what sends to the client that came last, by its name
        self.arrived_at: float | None = None  # when the newest was passed on, on the loop's clock; None: none came yet
        self.is_ready = asyncio.Event()
        self.is_draining = False  # told the clients to come back: nobody new stays
        self._healing = Healing(self.recent, past)
        self._on_swept = on_swept
        self.audience = Audience(self.recent, Turns(clock), write)
        self._catch_up = CatchUp(
            self.recent, past=past, patience_s=patience_s, audience=self.audience, leave=self.leave, clock=clock
        )
        self._passing_on = asyncio.Lock()
        self._may_lack_some = asyncio.Event()

    @property
    def term(self) -> int:
        """The highest of any snapshot so far."""
        return self.recent.term

    @property
    def is_recalling(self) -> bool:
        """Whether the recent snapshots are still to be read from the past."""
        return self._healing.is_recalling

    @property
    def catching_up(self) -> int:
        """How many clients are behind and wait for their turn."""
        return self._catch_up.waiting

    @property
    def unread(self) -> int:
        """Times that what a client missed could not be read for it."""
        return self._catch_up.unread

    def join(self, send: AsgiSend, *, since: int | None = None, admission: Admission | None = None) -> Client:
        """Add an accepted connection: it gets the newest snapshot (or all after the id `since`), then every new one.

        A `since` that is ahead of this process waits for what comes after it. `send` is its ASGI send; `admission`: on
        what it was let in (None: anybody is).
        """
        sender = self.make_sender(send)
        self.sender = sender.name
        after = FROM_NEXT if since is None else since
        if admission is None:
            client = Client(sender, self._catch_up, after)
        else:
            client = AdmittedClient(sender, self._catch_up, after, admission)
        self.clients.add(client)
        self.audience.add(client)
        latest = self.recent.latest
        if latest is None:
            if since is not None:
                self._catch_up.enter(client)
        elif since is None or latest.previous == since:
            client.offer(latest, after)
        elif latest.id > since:
            self._catch_up.enter(client)
        return client

    async def refuse(self, send: AsgiSend, code: int, reason: str) -> None:
        """Close an accepted connection, with `code`, without anything having been sent to it."""
        await Client(self.make_sender(send), self._catch_up, FROM_NEXT).close(code, reason)

    def leave(self, client: Client) -> None:
        """Remove a connection; nothing of it stays behind. Removing it again does nothing."""
        if client in self.clients:
            self.clients.remove(client)
            self.left += 1
            if client.was_stuck:
                self._note_stuck()
        self.audience.remove(client)
        self._catch_up.forget(client)
        client.forget()

    def _note_stuck(self) -> None:
        """Count a client that did not read; say so once a minute, however many there are."""
        self.stuck += 1
        now = asyncio.get_running_loop().time()
        if now >= self._tell_stuck_at:
            self._tell_stuck_at = now + 60
            logger.warning(
                "A client did not read for %.0f s and was closed (1013); %d since the start. They can resume.",
                self.patience_s,
                self.stuck,
            )

    async def pass_on(self, frame: Frame) -> None:
        """Keep `frame` and send it to every client, after whatever was lost before it.

        One of an older term, and one that is not newer than the last, are refused and counted.
        """
        async with self._passing_on:
            await self._pass_on(frame, is_live=True)

    def note_reconnect(self) -> None:
        """The channel layer lost its connection and has it again: fetch what was published meanwhile."""
        self._may_lack_some.set()

    async def _fetch_after_reconnects(self) -> None:
        """Pass on what the past has and the layer lost, without waiting for the next snapshot to show it."""
        while True:
            await self._may_lack_some.wait()
            self._may_lack_some.clear()
            for frame in await self._healing.fetch_newer():
                if frame.id > (self.recent.latest or frame).id:
                    self.healed += 1
                    async with self._passing_on:  # it says nothing of whether anybody publishes now
                        await self._pass_on(frame, is_live=False)

    async def _pass_on(self, frame: Frame, *, is_live: bool) -> None:
        latest = self.recent.latest
        if frame.term < self.term:
            self.refused += 1
            logger.warning("A publisher of term %d still publishes in term %d; refused.", frame.term, self.term)
            return
        if latest is not None and frame.id <= latest.id:
            self.dropped += 1
            return
        if latest is not None:
            await self._join_ends(latest, frame)
        if is_live:  # only now: while a gap is being healed, clients get nothing
            self.arrived_at = asyncio.get_running_loop().time()
        await self._sweep(frame)

    async def _join_ends(self, latest: Frame, frame: Frame) -> None:
        """Pass on what was published between `latest` and `frame`, or count why it is not known."""
        if frame.previous is None:
            self.breaks += 1
            logger.error(
                "The publisher does not know what came before %d; here %d did.",
                frame.id,
                latest.id,
                extra={"snapshot": frame.id},
            )
        elif frame.previous > latest.id:
            missed = await self._healing.fetch_between(latest.id, frame)
            if missed and missed[-1].id == frame.previous:
                self.healed += len(missed)
            else:
                self.gaps += 1
                logger.warning(
                    "A gap stays between %d and %d: nobody has all of it. Clients are told.",
                    latest.id,
                    frame.id,
                    extra={"snapshot": frame.id},
                )
            for one in missed:
                await self._sweep(one)

    async def _sweep(self, frame: Frame) -> None:
        """Keep `frame`, the newest, and send it to every client that has all before it."""
        latest = self.recent.latest
        before = latest.id if latest is not None else FROM_NEXT
        if frame.previous is not None and frame.previous < before:
            self.forks += 1
            logger.error(
                "A fork: %d continues %d, but %d was published, too.",
                frame.id,
                frame.previous,
                before,
                extra={"snapshot": frame.id},
            )
        self.recent.append(frame)
        shown = frame.shown_after(before)
        self._catch_up.pause()
        began = time.perf_counter()
        try:
            await self.audience.send(shown, before)
        finally:
            self.sweeps.add(time.perf_counter() - began)
            self._catch_up.go_on()
        self._on_swept()

    async def recall(self) -> None:
        """Fill the recent snapshots from the past, as far as it answers soon; then clients may join."""
        await self._healing.recall()
        self.is_ready.set()

    async def run(self, layer: BaseChannelLayer) -> None:
        """Join the group and pass on what comes, until cancelled. Raises what the channel layer raises."""
        await self.recall()
        async with join_group(layer) as channel:
            fetching = asyncio.create_task(self._fetch_after_reconnects())
            try:
                while True:
                    await self.pass_on(read_layer_message(await layer.receive(channel)))
            finally:
                fetching.cancel()
                await asyncio.wait([fetching])

    async def aclose(self) -> None:
        """End the recall from history, if it still goes on, and what clients are still sent."""
        await self._catch_up.aclose()
        await self._healing.aclose()

    async def drain(self, within_s: float) -> None:
        """Tell all clients to come back (1012), in batches spread over `within_s` seconds so that they do in turn."""
        self.is_draining = True
        clients = tuple(self.clients)
        batch = max(len(clients) // DRAIN_BATCHES, 50)
        for start in range(0, len(clients), batch):
            if start:
                await asyncio.sleep(within_s / DRAIN_BATCHES)
            await asyncio.gather(
                *(
                    client.close(COME_BACK, patience_s=within_s / DRAIN_BATCHES)
                    for client in clients[start : start + batch]
                )
            )
