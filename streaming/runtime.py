"""What runs in a server process beside its requests: the hub and, unless switched off, a publisher.

Made by asgi.py, which hands it to whoever needs it. Started by ASGI's lifespan where the server has one (uvicorn), by
Twisted's reactor where it has not (Daphne), by the first connection at the latest.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.conf import settings

from metrics.history.reader import HistoryReader
from metrics.history.writer import HistoryWriter
from streaming.checks import Checks
from streaming.delivery.hub import Hub
from streaming.garbage import GarbageCollection, tune_garbage_collection
from streaming.publishing.lease import LocalLease, RedisLease
from streaming.publishing.publisher import Publisher

logger = logging.getLogger(__name__)

RETRY_S = 1.0
#: Seconds after which work that fails counts as having run well: that failure is a new one.
RAN_WELL_S = 60.0


def make_lease() -> LocalLease | RedisLease:
    """The lease that fits the channel layer: shared in Redis where that is, else none is needed."""
    return RedisLease(settings.REDIS_URL) if settings.REDIS_URL else LocalLease()


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


class Runtime:
    """The hub and publisher of this process, and what they need; settings are read when it is made."""

    def __init__(self) -> None:
        self.history = HistoryReader()
        self.hub = Hub(
            keep=settings.STREAM_REPLAY,
            patience_s=settings.STREAM_SEND_TIMEOUT,
            history=self.history,
            on_swept=self._collect_garbage,
        )
        self.publisher: Publisher | None = None
        self.checks = Checks()
        self._garbage = GarbageCollection()
        self._tasks: list[asyncio.Task[None]] = []

    def _collect_garbage(self) -> None:
        if not self.hub.is_draining:
            self._garbage.collect_if_due(left=self.hub.left, connected=len(self.hub.clients))

    def make_publisher(self) -> Publisher:
        """A publisher with this process's settings, which continues what the hub has seen."""
        recent = self.hub.recent
        return Publisher(
            get_channel_layer(),
            interval_s=settings.STREAM_INTERVAL,
            history=HistoryWriter(retention_s=settings.HISTORY_RETENTION.total_seconds()),
            lease=make_lease(),
            last_known=lambda: recent.latest.timestamp if recent.latest else None,
        )

    def start(self, *, with_publisher: bool | None = None) -> None:
        """Start the hub and (None: as STREAM_PUBLISHER says) a publisher. Starting again does nothing."""
        if self._tasks or self.hub.is_draining:
            return
        tune_garbage_collection()
        layer = get_channel_layer()
        self._tasks.append(asyncio.create_task(keep_running("hub", lambda: self.hub.run(layer))))
        if settings.STREAM_PUBLISHER if with_publisher is None else with_publisher:
            self.publisher = self.make_publisher()
            self._tasks.append(asyncio.create_task(keep_running("publisher", self._publish)))

    async def _publish(self) -> None:
        """Publish once the hub knows what was published before: the chain goes on where it ended."""
        if self.publisher is not None:
            await self.hub.is_ready.wait()
            await self.publisher.run()

    async def stop(self) -> None:
        """Tell the clients to come back, within STREAM_DRAIN seconds, then end the publisher and the hub.

        Ending again does nothing: under uvicorn both our server and its lifespan ask for it.
        """
        await self.hub.drain(settings.STREAM_DRAIN)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=3)
        self._tasks.clear()
        publisher, self.publisher = self.publisher, None
        if publisher is not None:
            await publisher.aclose()
        await self.hub.aclose()
        self.history.close()
