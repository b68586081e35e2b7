"""What runs in a server process beside its requests: the hub and, unless switched off, a publisher.

Made by asgi.py, which hands it to whoever needs it. Started by ASGI's lifespan where the server has one (uvicorn), by
Twisted's reactor where it has not (Daphne), by the first connection at the latest.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from time import monotonic

from channels.layers import BaseChannelLayer, InMemoryChannelLayer, get_channel_layer
from django.conf import settings

from access.gate import Gate
from access.mode import Mode
from metrics.choice_reader import ChoiceReader
from metrics.daemon_thread import join_closed
from metrics.history.journal import Journal
from metrics.history.reader import HistoryReader
from metrics.history.store import DatabaseStore
from metrics.history.writer import HistoryWriter
from metrics.snapshot import EncodedSnapshot
from metrics.sources import Sources
from streaming.checks import Checks
from streaming.delivery.doorkeeper import LOOK_ALONE_S, LOOK_EVERY_S, Doorkeeper
from streaming.delivery.hub import Hub
from streaming.garbage import GarbageCollection, tune_garbage_collection
from streaming.hanging import explain_hang
from streaming.limits.places import Places, count_places
from streaming.limits.queue import Queue
from streaming.limits.visits import Visits
from streaming.loop_lag import LoopLag
from streaming.past import Past
from streaming.publishing.layer import FencedChannelLayer
from streaming.publishing.lease import Lease, LocalLease, RedisLease
from streaming.publishing.outlet import LayerOutlet, Outlet
from streaming.publishing.publisher import Publisher
from streaming.publishing.redis_lease_store import RedisLeaseStore
from streaming.publishing.redis_outlet import RedisOutlet
from streaming.publishing.sequence import Head

logger = logging.getLogger(__name__)

RETRY_S = 1.0
#: Seconds between two looks whether this process is well.
PULSE_S = 5.0
WHO_MENDS = "systemd starts it anew, or the parent of several workers does; where neither is there, do that yourself."
#: Ranges of history that are read at once for those who ask over HTTP (each may take some megabytes), and how many may
#: wait for it.
READ_AT_ONCE, READING_WAIT = 3, 40
#: Seconds that the end waits for threads which were told to end; what hangs ends with the process.
JOIN_S = 0.5
#: Seconds after which work that fails counts as having run well: that failure is a new one.
RAN_WELL_S = 60.0


def make_lease() -> Lease:
    """The lease that fits the channel layer: shared in Redis where that is, else none is needed."""
    if not settings.REDIS_URL:
        return LocalLease()
    return RedisLease(RedisLeaseStore(settings.REDIS_URL))


def make_outlet(layer: BaseChannelLayer) -> Outlet:
    """Where snapshots are published: through Redis where the layer is there, else in this process."""
    return RedisOutlet(settings.REDIS_URL, layer) if settings.REDIS_URL else LayerOutlet(layer)


def is_layer_shared() -> bool:
    """Whether other processes can be reached through the channel layer."""
    return not isinstance(get_channel_layer(), InMemoryChannelLayer)


async def keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` again and again, whatever it raises: logged with its traceback when it starts to fail.

    It starts to fail anew when it had run for RAN_WELL_S before; failures that follow each other faster are one state.
    """
    failures = 0
    while True:
        started = monotonic()
        try:
            await work()
        except Exception as error:
            failures = 1 if monotonic() - started > RAN_WELL_S else failures + 1
            logger.log(
                logging.ERROR if failures == 1 else logging.DEBUG,
                "The %s stopped (%s); starting it again every %.0f s.",
                name,
                str(error) or type(error).__name__,
                RETRY_S,
                exc_info=failures == 1,
            )
        await asyncio.sleep(RETRY_S)


async def end_tasks(tasks: Collection["asyncio.Task[None]"]) -> None:
    """Cancel `tasks` and wait for their ends, for three seconds at most.

    Who goes on after a second is told again: asyncio.wait_for, with which redis-py sends, loses a cancellation that
    comes when what it waits for is just done (before Python 3.12). A publisher that did not hear of it kept the lease.
    """
    pending = set(tasks)
    for _ in range(3):
        for task in pending:
            task.cancel()
        if pending:
            _, pending = await asyncio.wait(pending, timeout=1)


class ReceivedByHub:
    """What has come to this process, for its publisher: streaming.publishing.sequence.Received."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def head(self) -> Head | None:
        """See Received."""
        latest = self._hub.recent.latest
        return Head(latest.id, max(latest.term, self._hub.term)) if latest is not None else None

    def after(self, id: int) -> Iterator[EncodedSnapshot]:  # noqa: A002 - the wire's word
        """See Received."""
        while (frame := self._hub.recent.next_after(id)) is not None:
            yield EncodedSnapshot(frame.id, frame.previous, frame.term, frame.text)
            id = frame.id  # noqa: A001


class Runtime:
    """The hub and publisher of this process, and what they need; settings are read when it is made."""

    def __init__(self) -> None:
        self.layer = get_channel_layer()
        self.outlet: Outlet = make_outlet(self.layer)
        self.history = HistoryReader()
        self._publishers_history = HistoryReader()
        self.publisher: Publisher | None = None
        self.past = Past(self.outlet, self.history, self._waiting)
        self.hub = Hub(
            keep=settings.STREAM_REPLAY,
            patience_s=settings.STREAM_SEND_TIMEOUT,
            past=self.past,
            on_swept=self._collect_garbage,
        )
        # Who lets in those who come with a share link; and everybody, unless access is open.
        self.link_gate = Gate(most_connections=settings.STREAM_CONNECTIONS_PER_VIEWER)
        # None: anybody may look, and nobody is asked who they are.
        self.gate: Gate | None = self.link_gate if settings.ACCESS == Mode.LOGIN else None
        is_shared = isinstance(self.layer, FencedChannelLayer)
        self.doorkeeper = Doorkeeper(self.hub, self.link_gate, LOOK_EVERY_S if is_shared else LOOK_ALONE_S)
        if isinstance(self.layer, FencedChannelLayer):
            self.layer.on_reconnect = self._note_reconnect
        self.visits = Visits(
            Places(
                count_places(settings.CONNECTIONS),
                # behind a proxy all come from the proxy, and it has limits of its own
                0 if settings.TRUSTED_PROXIES else settings.CONNECTIONS_PER_ADDRESS,
            )
        )
        self.reading_history = Queue(READ_AT_ONCE, READING_WAIT)  # for whoever asks over HTTP
        self.checks = Checks()
        self.lag = LoopLag()
        self.started_at: float | None = None  # on the loop's clock
        #: Called every PULSE_S as long as nothing hangs that only a new process would mend.
        self.on_pulse: Callable[[], None] = lambda: None
        self._garbage = GarbageCollection()
        self._tasks: list[asyncio.Task[None]] = []

    def _note_reconnect(self) -> None:
        """What the channel layer carried while it was away is lost: snapshots, and who may not look any more."""
        self.hub.note_reconnect()
        self.doorkeeper.note_reconnect()

    def _collect_garbage(self) -> None:
        if not self.hub.is_draining:
            self._garbage.collect_if_due(left=self.hub.left, connected=len(self.hub.clients))

    def _waiting(self, after: int, before: int | None) -> Iterable[EncodedSnapshot]:
        """What this process has published and the database has not taken yet, between two ids."""
        return self.publisher.history.unwritten(after, before) if self.publisher is not None else ()

    def make_publisher(self) -> Publisher:
        """A publisher with this process's settings, which continues what the hub has seen."""
        choices = ChoiceReader()
        # Who decides what is published by itself is alone: no other process lets staff switch.
        store = DatabaseStore() if self.outlet.decides else DatabaseStore(choices.read_beside)
        return Publisher(
            self.outlet,
            make_lease(),
            interval_s=settings.STREAM_INTERVAL,
            history=HistoryWriter(
                store,
                retention_s=settings.HISTORY_RETENTION.total_seconds(),
                journal=Journal(settings.STREAM_JOURNAL),
            ),
            choices=choices,
            sources=Sources(),
            # A reader of its own: the hub's may be busy with all that it recalls when a tenure begins.
            past=Past(self.outlet, self._publishers_history, self._waiting),
            received=ReceivedByHub(self.hub),
        )

    def start(self, *, with_publisher: bool | None = None) -> None:
        """Start the hub and (None: as STREAM_PUBLISHER says) a publisher. Starting again does nothing."""
        if self._tasks or self.hub.is_draining:
            return
        self.started_at = asyncio.get_running_loop().time()
        tune_garbage_collection()
        if settings.STREAM_PUBLISHER if with_publisher is None else with_publisher:
            self.publisher = self.make_publisher()
            self.begin("publisher", self._publish)
        self.begin("hub", self._deliver)
        self.begin("look at the loop", self.lag.run)
        self.begin("doorkeeper", lambda: self.doorkeeper.run(self.layer))
        self.begin("pulse", self._pulse)

    def begin(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Keep `work` running until `stop`; `name`: what it is called where it fails."""
        self._tasks.append(asyncio.create_task(keep_running(name, work), name=name))

    async def _pulse(self) -> None:
        """Say that this process is well; say nothing while it hangs, so that whoever listens starts it anew."""
        loop = asyncio.get_running_loop()
        seen = 0  # in a row; once may be a machine that woke up
        while True:
            hang = explain_hang(
                self.publisher, self.hub, self._tasks, is_shared=bool(settings.REDIS_URL), now=loop.time()
            )
            seen = seen + 1 if hang else 0
            if hang is None:
                self.on_pulse()
            elif seen == 2:
                logger.error("This process hangs (%s): it does not say any more that it is well. %s", hang, WHO_MENDS)
            await asyncio.sleep(PULSE_S)

    async def _deliver(self) -> None:
        """Run the hub, once what a process before had published and not stored is known: it recalls that, too."""
        if self.publisher is not None:
            self.publisher.history.recover()
        await self.hub.run(self.layer)

    async def _publish(self) -> None:
        """Publish once the hub knows what was published before: the sequence goes on where it ended."""
        if self.publisher is not None:
            await self.hub.is_ready.wait()
            await self.publisher.run()

    async def stop(self) -> None:
        """Tell the clients to come back, within STREAM_DRAIN seconds, then end the publisher and the hub.

        The lease is given back first, so that another publisher goes on while the clients leave. Ending again does
        nothing: under uvicorn both our server and its lifespan ask for it.
        """
        await self.hub.drain(settings.STREAM_DRAIN)
        await end_tasks(self._tasks)
        self._tasks.clear()
        publisher, self.publisher = self.publisher, None
        if publisher is not None:
            await publisher.aclose()
        await self.hub.aclose()
        self.history.close()
        self._publishers_history.close()
        self.link_gate.close()
        join_closed(JOIN_S)
