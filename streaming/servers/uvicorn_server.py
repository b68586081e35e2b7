"""uvicorn: the cheaper server for many clients (`SERVER=uvicorn make serve`)."""

import asyncio
import logging
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from types import FrameType

import uvicorn
from django.conf import settings

from streaming.ending import LAST_S, end_within
from streaming.runtime import Runtime
from streaming.servers import (
    BACKLOG,
    PING_TIMEOUT_S,
    Address,
    Application,
    Ready,
    ServerError,
    ping_interval_s,
)
from streaming.servers.listening import watch_peers
from streaming.servers.uvicorn_http import FirstProtocol
from streaming.servers.uvicorn_sender import UvicornDoor, WatchedProtocol

logger = logging.getLogger(__name__)

#: Seconds between two of uvicorn's ticks, which renew the `Date` of answers.
TICK_S = 1.0


class Server(uvicorn.Server):
    """uvicorn's server, except that it sends the clients away in batches before it closes what is left.

    And it wakes up once a second, not ten times: when it is to end, it is told.
    """

    def __init__(self, config: uvicorn.Config, runtime: Runtime, ready: Ready) -> None:
        super().__init__(config)
        self._runtime = runtime
        self._ready = ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_ending = asyncio.Event()

    async def main_loop(self) -> None:
        """Tick until uvicorn's own `should_exit`."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._is_ending.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called between any two steps when a signal has come."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._is_ending.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then say where."""
        await super().startup(sockets)
        if self.started:
            for server in self.servers:
                for listening in server.sockets:
                    watch_peers(listening)
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(host, port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, drain, then do what uvicorn does."""
        end_within(settings.STREAM_DRAIN + LAST_S)
        logger.info("Ending: telling %d clients to come back.", len(self._runtime.hub.clients))
        for server in self.servers:
            server.close()
        await self._runtime.stop()
        await super().shutdown(sockets)


def run(
    application: Application,
    runtime: Runtime,
    address: Address,
    ready: Ready,
    listening: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then send the clients away and end. Raises ServerError where it cannot listen.

    `listening`: a socket that does already.
    """
    config = uvicorn.Config(
        application,
        host=address.host,
        port=address.port,
        backlog=BACKLOG,
        http=partial(FirstProtocol, runtime.visits, not UvicornDoor.find_missing()),  # type: ignore[arg-type]
        ws=WatchedProtocol,
        ws_per_message_deflate=False,  # compressing for each client costs more than it saves on 600 bytes
        ws_max_size=settings.STREAM_LARGEST_MESSAGE,
        ws_ping_interval=ping_interval_s(settings.STREAM_INTERVAL),
        ws_ping_timeout=PING_TIMEOUT_S,
        proxy_headers=False,  # TRUSTED_PROXIES says whom to believe where a request comes from
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = Server(config, runtime, ready)
    # uvicorn ends gracefully and then raises the signal once more, for whoever handled it before: that is the end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.run(None if listening is None else [listening])
    except KeyboardInterrupt:
        pass
    except SystemExit as end:
        if end.code:
            raise ServerError(f"uvicorn could not listen on {address.host}:{address.port}.") from None
