"""The textbook peer's application. Not how this project does it: how the Channels tutorial does."""

import asyncio
import os
from typing import Any

import django

django.setup()

from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import path  # noqa: E402

from benchmarks.peers.payload import make_payload  # noqa: E402

GROUP = "live"
INTERVAL_S = float(os.environ["BENCH_INTERVAL"])

publishers: list[asyncio.Task[None]] = []


async def publish() -> None:
    """Send a payload to the group at every tick."""
    layer = get_channel_layer()
    previous = None
    while True:
        payload = make_payload(previous, INTERVAL_S)
        await layer.group_send(GROUP, {"type": "snapshot", "payload": payload})
        previous = payload["id"]
        await asyncio.sleep(INTERVAL_S)


class Live(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    """One connection."""

    async def connect(self) -> None:
        """Join the group; the first connection starts the publisher, for want of a lifespan."""
        if not publishers:
            publishers.append(asyncio.create_task(publish()))
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave the group."""
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def snapshot(self, event: dict[str, Any]) -> None:
        """Pass a payload on."""
        await self.send_json(event["payload"])


application = ProtocolTypeRouter(
    {"http": get_asgi_application(), "websocket": URLRouter([path("", Live.as_asgi())])},
)
