"""The WebSocket addresses."""

from collections.abc import Callable

from django.urls import URLPattern, re_path

from access.credentials import LINK
from access.gate import Gate
from streaming.delivery.consumer import LiveConsumer
from streaming.delivery.hub import Hub
from streaming.delivery.refusal import refuse


def make_websocket_urlpatterns(
    hub: Hub, begin: Callable[[], None], gate: Gate | None = None, link_gate: Gate | None = None
) -> list[URLPattern]:
    """The stream from `hub`, and HTTP 403 at any other address (URLRouter would raise for a stranger's typo).

    `begin` is called at each connection: where nothing else has started the hub, that does. `gate` lets clients in;
    None: anybody is. `link_gate` lets in those who have the address of a share link; None: there are no links.
    """
    live = re_path(r"^stream/live/?$", LiveConsumer.as_asgi(hub=hub, begin=begin, gate=gate))
    shared = re_path(
        rf"^share/(?P<link>{LINK})/stream/live/?$", LiveConsumer.as_asgi(hub=hub, begin=begin, gate=link_gate)
    )
    return [live, *([shared] if link_gate is not None else []), re_path(r"", refuse)]
