"""Closes the connections of those who may not look any more: in every process, within a second.

What changed is told through the channel layer (`access.announcing`), which may lose it: so all are looked at again each
minute, and when the layer was away.
"""

import asyncio
import logging
import random
import time
from contextlib import suppress

from channels.layers import BaseChannelLayer

from access.announcing import GROUP
from access.gate import Gate
from access.viewer import Admission, RefusedError
from streaming.delivery.close_codes import REFUSALS
from streaming.delivery.hub import Hub
from streaming.delivery.membership import join_group

logger = logging.getLogger(__name__)

#: Seconds between two looks at everybody; where the layer is within this process, so that no other one (manage.py, say)
#: can tell what it has changed; and at what has expired.
LOOK_EVERY_S, LOOK_ALONE_S = 60.0, 0.8
EXPIRE_EVERY_S = 0.5
#: Seconds within which sessions that have ended are deleted.
PURGE_EVERY_S = 3600.0
#: Seconds until a question that the database did not answer is asked again.
RETRY_S = 1.0


class Doorkeeper:
    """One process's."""

    def __init__(self, hub: Hub, gate: Gate, look_every_s: float = LOOK_EVERY_S) -> None:
        """`hub`: whose clients they are. `gate`: who let them in.

        `look_every_s`: seconds between two looks at everybody.
        """
        self._hub = hub
        self._gate = gate
        self._look_every_s = look_every_s
        self.closed = 0  # connections, since the start
        self._may_lack_some = asyncio.Event()

    def note_reconnect(self) -> None:
        """The channel layer lost its connection and has it again: look at everybody."""
        self._may_lack_some.set()

    async def run(self, layer: BaseChannelLayer) -> None:
        """Listen to what changes, until cancelled. Raises what the channel layer raises."""
        async with join_group(layer, GROUP) as channel, asyncio.TaskGroup() as beside:
            beside.create_task(self._look_at_all())
            beside.create_task(self._expire())
            beside.create_task(self._purge())
            self.note_reconnect()  # what came before is lost
            while True:
                message = await layer.receive(channel)
                await self._look_again(message["keys"])

    async def _look_again(self, keys: list[str] | None) -> None:
        """Close those of whom the database says that they may not look any more; ask until it says anything."""
        while True:
            try:
                await self._close(await self._gate.look_again(keys))
                return
            except RefusedError:
                await asyncio.sleep(RETRY_S)
                keys = None

    async def _look_at_all(self) -> None:
        """Again and again, and after a reconnect: look at everybody. Each minute: say which tokens were used."""
        noted = time.time()
        while True:
            await self._gate.has_admitted.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_every_s):
                    await self._may_lack_some.wait()
            self._may_lack_some.clear()
            if time.time() - noted > LOOK_EVERY_S - 1:
                began, noted = noted, time.time()
                self._note_connected()
                await self._gate.note_used(began)
            await self._look_again(None)

    def _note_connected(self) -> None:
        """Whoever has a connection open looks on."""
        now = time.time()
        for admission in {client.admission for client in self._hub.clients}:
            if admission is not None:
                admission.used_at = now

    async def _expire(self) -> None:
        while True:
            await self._gate.has_admitted.wait()
            await asyncio.sleep(EXPIRE_EVERY_S)
            await self._close(self._gate.expire())

    async def _purge(self) -> None:
        """Each hour; processes that start together do it at different times."""
        while True:
            await asyncio.sleep(PURGE_EVERY_S * random.uniform(0.01, 1))
            await self._gate.purge_sessions()

    async def _close(self, ended: list[tuple[Admission, RefusedError]]) -> None:
        """Close the connections of those whose admission has ended; nothing more is sent to them from here on."""
        if not ended:
            return
        refusals = dict(ended)
        closing = []
        for client in tuple(self._hub.clients):
            refusal = refusals.get(client.admission) if client.admission is not None else None
            if refusal is not None:
                self._hub.leave(client)
                closing.append(client.close(REFUSALS[refusal.status], str(refusal)))
        self.closed += len(closing)
        await asyncio.gather(*closing)
