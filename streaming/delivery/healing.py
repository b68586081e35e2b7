"""What this process lacks of the sequence, fetched from the past: when it starts, after a gap, after a reconnect.

The channel layer delivers at most once, and nothing to who is not there yet. Whoever keeps the past is never waited for
longer than a moment: the stream goes on, and what comes late is put where it belongs, or told as missing.
"""

import asyncio
import itertools
import logging

from streaming.delivery.past import Past, PastUnreadableError
from streaming.delivery.recent import RecentSnapshots
from streaming.wire import Frame

logger = logging.getLogger(__name__)

#: Seconds that a process which starts waits for the past, and that a gap waits to be healed from it.
RECALL_PATIENCE_S = 2.0
LATE_RECALL_PATIENCE_S = 60.0
HEALING_PATIENCE_S = 1.0
#: How often the past is read again where it ends before what has arrived begins.
RECALL_ATTEMPTS = 10
#: How many snapshots a gap may have to be healed from the past for all clients at once; each reads more for itself.
LARGEST_HEALING = 5000


class Healing:
    """Fills `recent` from the past (None: there is none), and finds what is missing after it."""

    def __init__(self, recent: RecentSnapshots, past: Past | None) -> None:
        self._recent = recent
        self._past = past
        self._recalling: asyncio.Task[None] | None = None

    @property
    def is_recalling(self) -> bool:
        """Whether the recent snapshots are still to be read from the past."""
        return self._recalling is not None and not self._recalling.done()

    async def recall(self) -> None:
        """Fill the recent snapshots, so that a restart loses nothing of what clients may resume from.

        Returns when that is done, or after RECALL_PATIENCE_S; it then goes on until the past answers.
        """
        if self._recalling is None and self._past is not None:
            self._recalling = asyncio.create_task(self._recall_from(self._past))
        if self._recalling is not None:
            await asyncio.wait([self._recalling], timeout=RECALL_PATIENCE_S)
            if not self._recalling.done():
                logger.warning("Starting without the recent snapshots: history does not answer yet.")

    async def _recall_from(self, past: Past) -> None:
        """Read the newest snapshots until that succeeds, and until they join what has arrived meanwhile."""
        for attempt in itertools.count():
            try:
                found = await past.newest(self._recent.keep, LATE_RECALL_PATIENCE_S)
            except PastUnreadableError as error:
                logger.debug("The past does not answer: %s", error)
                await asyncio.sleep(RECALL_PATIENCE_S)
                continue
            oldest = self._recent.oldest
            older = [frame for frame in found if oldest is None or frame.id < oldest.id]
            is_joined = oldest is None or oldest.previous is None or (older and older[-1].id >= oldest.previous)
            if is_joined or attempt >= RECALL_ATTEMPTS:
                break
            await asyncio.sleep(0.2)  # the last one before is on its way into history
        self._recent.put_before(older)

    async def aclose(self) -> None:
        """End the recall, if it still goes on."""
        if self._recalling is not None:
            self._recalling.cancel()
            await asyncio.wait([self._recalling])

    async def fetch_between(self, after: int, frame: Frame) -> list[Frame]:
        """As much as can be had of what was published between the id `after` and `frame`, within HEALING_PATIENCE_S.

        It is all where the last one is the one before `frame`. Waits a little for what history's writer has in hand.
        """
        missed: list[Frame] = []
        try:
            async with asyncio.timeout(HEALING_PATIENCE_S):
                while self._past is not None and len(missed) < LARGEST_HEALING:
                    start = missed[-1].id if missed else after
                    found = await self._past.between(start, frame.id, HEALING_PATIENCE_S, LARGEST_HEALING)
                    missed += found
                    if missed and missed[-1].id == frame.previous:
                        break
                    if not found:
                        await asyncio.sleep(0.05)
        except (TimeoutError, PastUnreadableError) as error:
            logger.debug("The past does not help to close a gap: %s", str(error) or "no answer in time")
        return missed

    async def fetch_newer(self) -> list[Frame]:
        """What was published after the newest that is here, as far as it can be had at once."""
        latest = self._recent.latest
        if latest is None or self._past is None:
            return []
        try:
            return await self._past.between(latest.id, None, HEALING_PATIENCE_S, LARGEST_HEALING)
        except PastUnreadableError as error:
            logger.debug("The past does not tell what came while the layer was away: %s", error)
            return []
