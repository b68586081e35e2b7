"""The WebSocket addresses."""

from collections.abc import Callable

from channels.security.websocket import WebsocketDenier
from django.urls import URLPattern, re_path

from access.gate import Gate
from streaming.delivery.consumer import LiveConsumer
from streaming.delivery.hub import Hub


def make_websocket_urlpatterns(hub: Hub, begin: Callable[[], None], gate: Gate | None = None) -> list[URLPattern]:
    """The stream from `hub`, and HTTP 403 at any other address (URLRouter would raise for a stranger's typo).

    `begin` is called at each connection: where nothing else has started the hub, that does. `gate` lets clients in;
    None: anybody is.
    """
    return [
        re_path(r"^stream/live/?$", LiveConsumer.as_asgi(hub=hub, begin=begin, gate=gate)),
        re_path(r"", WebsocketDenier.as_asgi()),
    ]
