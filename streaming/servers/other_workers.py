"""What the workers at one port tell each other, so that whichever takes a request can answer it for all of them.

Each listens at a socket of its own, in a folder that the parent made and only their user may enter, and tells what it
has to tell to whoever connects. One that is gone refuses and one that hangs is late: both are named, and nothing that
they said before is shown as if it were of now. One that takes another's place (SIGHUP) takes its name, too.
"""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

logger = logging.getLogger(__name__)

#: Seconds that the others may take to answer: health's half second for its checks, and as much again.
PATIENCE_S = 1.0
#: Bytes of the folder's path: those of a socket's (Linux 108, macOS 104) without the socket's own name.
LONGEST_PATH = 85

#: What can be sent as JSON.
Told = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers at this port, as the one with this `number` of 1 to `count` sees them."""

    folder: Path
    number: int
    count: int

    @classmethod
    def find(cls) -> Self | None:
        """Those that this process is one of; None where it is alone."""
        folder, number, count = (os.environ.get(f"WORKER{name}", "") for name in ("_FOLDER", "", "_COUNT"))
        return cls(Path(folder), int(number), int(count)) if folder and number and count else None

    def check_folder(self) -> None:
        """Raise OSError where sockets in the folder would have names that no system takes."""
        if len(os.fsencode(self.folder)) > LONGEST_PATH:
            raise OSError(f"{self.folder} is too long a name: a socket's has {LONGEST_PATH} bytes for it at most")

    def describe(self, number: int) -> dict[str, str]:
        """The environment of the worker `number`, by which it finds the others."""
        return {"WORKER_FOLDER": str(self.folder), "WORKER": str(number), "WORKER_COUNT": str(self.count)}

    async def listen(self, tell: Callable[[], Awaitable[Told]]) -> None:
        """Tell the others, whenever one asks, what `tell` returns; until cancelled. Raises OSError."""

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):  # who asked did not wait for it
                writer.write(json.dumps(await tell()).encode())
                await writer.drain()
            writer.close()

        coming = self.folder / f"{self.number}-{os.getpid()}"
        async with await asyncio.start_unix_server(answer, coming) as server:
            coming.rename(self.folder / str(self.number))  # in one step: the one before is asked until now
            await server.serve_forever()

    async def ask(self) -> dict[int, Told | None]:
        """What each of the others tells, by its number; None of one that does not answer within PATIENCE_S."""
        numbers = [number for number in range(1, self.count + 1) if number != self.number]
        return dict(zip(numbers, await asyncio.gather(*map(self._ask, numbers)), strict=True))

    async def _ask(self, number: int) -> Told | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(self.folder / str(number))
                try:
                    told: Told = json.loads(await reader.read())
                finally:
                    writer.close()
        except (OSError, ValueError) as error:  # TimeoutError, and half an answer, among them
            logger.debug("Worker %d does not answer: %r", number, error)
            return None
        return told
