"""The hub: this process's single member of the channel-layer group, which sends each snapshot to its connections.

What it promises: a client gets every snapshot that was published, once and in order, from its first one on; where one
cannot be had from anywhere, the next one says so. The channel layer may lose messages (it delivers at most once); the
hub sees that by `previous` and fetches them from the past before it passes the next one on. The snapshot's text arrives
encoded; its frame is made once and shared by all. A sweep sends directly, without a task or an await per client.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable

from channels.layers import BaseChannelLayer

from access.viewer import Admission
from streaming.delivery.catch_up import CatchUp, Past, PastUnreadableError
from streaming.delivery.client import FROM_NEXT, AdmittedClient, Client
from streaming.delivery.close_codes import COME_BACK
from streaming.delivery.recent import RecentSnapshots
from streaming.delivery.sending import AsgiSend, AsgiSender, MakeSender
from streaming.delivery.turns import Turns
from streaming.wire import GROUP, Frame, read_layer_message

logger = logging.getLogger(__name__)

#: In how many steps the clients are sent away at the end.
DRAIN_BATCHES = 20
#: Seconds that a process which starts waits for the past, and that a gap waits to be healed from it.
RECALL_PATIENCE_S = 2.0
LATE_RECALL_PATIENCE_S = 60.0
HEALING_PATIENCE_S = 1.0
#: How often the past is read again where it ends before what has arrived begins.
RECALL_ATTEMPTS = 10
#: How many snapshots a gap may have to be healed from the past for all clients at once; each reads more for itself.
LARGEST_HEALING = 5000


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
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`keep`: how many snapshots stay for resuming. `patience_s`: how long one send may wait for its client.

        `past`: who has what this process lacks. `make_sender`: how to send to a connection. `on_swept`: called when a
        snapshot has gone to all clients. `clock`: seconds, monotonic and precise, by which the loop is shared.
        """
        self.recent = RecentSnapshots(keep)
        self.patience_s = patience_s
        self.clients: set[Client] = set()
        self.make_sender = make_sender
        self.term = 0  # of the newest snapshot
        self.left = 0  # connections that ended
        self.dropped = 0  # snapshots that came again
        self.refused = 0  # snapshots of a publisher whose term was over
        self.healed = 0  # snapshots that the channel layer lost and the past had
        self.gaps = 0  # times that the past had not all of them either
        self.breaks = 0  # times that a publisher did not know what was published before
        self.forks = 0  # times that one did not continue the newest snapshot
        self.stuck = 0  # clients closed because they did not read
        self._tell_stuck_at = 0.0  # on the loop's clock
        self.sender: str | None = None  # what sends to the client that came last, by its name
        self.arrived_at: float | None = None  # when the newest snapshot came, on the loop's clock; None: none came yet
        self.is_ready = asyncio.Event()
        self.is_draining = False  # told the clients to come back: nobody new stays
        self._past = past
        self._on_swept = on_swept
        self._catch_up = CatchUp(self.recent, past=past, patience_s=patience_s, leave=self.leave, clock=clock)
        self._turns = Turns(clock)
        self._recalling: asyncio.Task[None] | None = None
        self._passing_on = asyncio.Lock()
        self._may_lack_some = asyncio.Event()

    # --- the clients ---

    @property
    def catching_up(self) -> int:
        """How many clients are behind and ready to be sent to."""
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
        latest = self.recent.latest
        if latest is None:
            if since is not None and self._past is not None:
                self._catch_up.enter(client)
        elif since is None:
            client.send(latest)
        elif latest.id > since:
            if latest.previous == since:
                client.send(latest)
            else:
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

    # --- passing on ---

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
            latest = self.recent.latest
            if latest is None or self._past is None:
                continue
            try:
                found = await self._past.between(latest.id, None, HEALING_PATIENCE_S, LARGEST_HEALING)
            except PastUnreadableError as error:
                logger.debug("The past does not tell what came while the layer was away: %s", error)
                continue
            for frame in found:
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
        self.term = frame.term
        if is_live:
            self.arrived_at = asyncio.get_running_loop().time()
        if latest is not None and frame.previous != latest.id:
            await self._join_ends(latest, frame)
        await self._sweep(frame)

    async def _join_ends(self, latest: Frame, frame: Frame) -> None:
        """Pass on what was published between `latest` and `frame`, or count why it is not known."""
        if frame.previous is None:
            self.breaks += 1
            logger.error("The publisher does not know what came before %d; here %d did.", frame.id, latest.id)
        elif frame.previous < latest.id:
            self.forks += 1
            logger.error("A fork: %d continues %d, but %d was published, too.", frame.id, frame.previous, latest.id)
        else:
            for missed in await self._fetch_missed(latest.id, frame):
                await self._sweep(missed)

    async def _sweep(self, frame: Frame) -> None:
        """Keep `frame`, the newest, and send it to every client that has all before it."""
        latest = self.recent.latest
        before = latest.id if latest is not None else FROM_NEXT
        self.recent.append(frame)
        shown = frame.after_a_hole(before) if frame.leaves_hole_after(before) else frame
        self._catch_up.pause()
        try:
            turn = self._turns.begin()
            for number, client in enumerate(tuple(self.clients)):
                client.offer(shown, before)
                if turn.is_over(number):
                    turn = await self._turns.next()
        finally:
            self._catch_up.go_on()
        self._on_swept()

    async def _fetch_missed(self, after: int, frame: Frame) -> list[Frame]:
        """What was published between `after` and `frame`; waits a little for what history's writer has in hand."""
        missed: list[Frame] = []
        loop = asyncio.get_running_loop()
        give_up = loop.time() + HEALING_PATIENCE_S
        while self._past is not None and loop.time() < give_up and len(missed) < LARGEST_HEALING:
            start = missed[-1].id if missed else after
            try:
                found = await self._past.between(start, frame.id, HEALING_PATIENCE_S, LARGEST_HEALING)
            except PastUnreadableError as error:
                logger.debug("The past does not help to close a gap: %s", error)
                break
            missed += found
            if missed and missed[-1].id == frame.previous:
                self.healed += len(missed)
                return missed
            if not found:
                await asyncio.sleep(0.05)
        self.gaps += 1
        logger.warning("A gap stays between %d and %d: nobody has all of it. Clients are told.", after, frame.id)
        return missed

    async def run(self, layer: BaseChannelLayer) -> None:
        """Join the group and pass on what comes, until cancelled. Raises what the channel layer raises."""
        await self.recall()
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        beside = [
            asyncio.create_task(self._stay_member(layer, channel)),
            asyncio.create_task(self._fetch_after_reconnects()),
        ]
        try:
            while True:
                await self.pass_on(read_layer_message(await layer.receive(channel)))
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
            await self._leave_group(layer, channel)

    async def _leave_group(self, layer: BaseChannelLayer, channel: str) -> None:
        """Leave nothing behind that the layer would go on to fill."""
        try:
            async with asyncio.timeout(1):
                await layer.group_discard(GROUP, channel)
        except Exception as error:  # the layer is away: the membership ends by itself
            logger.debug("Could not leave %s: %s", GROUP, error)

    async def _stay_member(self, layer: BaseChannelLayer, channel: str) -> None:
        """Join again and again: layers forget members after `expiry` or `group_expiry`, however alive they are."""
        pause_s = min(getattr(layer, "expiry", 60), getattr(layer, "group_expiry", 86400)) / 3
        while True:
            await asyncio.sleep(pause_s)
            try:
                await layer.group_add(GROUP, channel)
            except Exception as error:  # the layer is away; its return is seen at the next turn
                logger.debug("Could not renew the membership of %s: %s", GROUP, error)

    # --- the start ---

    @property
    def is_recalling(self) -> bool:
        """Whether the recent snapshots are still to be read from the past."""
        return self._recalling is not None and not self._recalling.done()

    async def recall(self) -> None:
        """Fill the recent snapshots from the past, so that a restart loses nothing of what clients may resume from.

        Returns when that is done, or after RECALL_PATIENCE_S; it then goes on until the past answers.
        """
        if self._recalling is None and self._past is not None:
            self._recalling = asyncio.create_task(self._recall_from(self._past))
        if self._recalling is not None:
            await asyncio.wait([self._recalling], timeout=RECALL_PATIENCE_S)
            if not self._recalling.done():
                logger.warning("Starting without the recent snapshots: history does not answer yet.")
        self.is_ready.set()

    async def _recall_from(self, past: Past) -> None:
        """Read the newest snapshots until that succeeds, and until they join what has arrived meanwhile."""
        for attempt in itertools.count():
            try:
                found = await past.newest(self.recent.keep, LATE_RECALL_PATIENCE_S)
            except PastUnreadableError as error:
                logger.debug("The past does not answer: %s", error)
                await asyncio.sleep(RECALL_PATIENCE_S)
                continue
            oldest = self.recent.oldest
            older = [frame for frame in found if oldest is None or frame.id < oldest.id]
            is_joined = oldest is None or oldest.previous is None or (older and older[-1].id >= oldest.previous)
            if is_joined or attempt >= RECALL_ATTEMPTS:
                break
            await asyncio.sleep(0.2)  # the last one before is on its way into history
        self.recent.put_before(older)
        if older:
            self.term = max(self.term, older[-1].term)

    # --- the end ---

    async def aclose(self) -> None:
        """End the recall from history, if it still goes on, and what clients are still sent."""
        await self._catch_up.aclose()
        if self._recalling is not None:
            self._recalling.cancel()
            await asyncio.wait([self._recalling])

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
