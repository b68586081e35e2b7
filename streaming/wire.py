"""How a snapshot travels between processes and onto a socket: what publishing and delivery share."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from metrics.snapshot import EncodedSnapshot

#: The channel-layer group that every process's hub is a member of.
GROUP = "stream.live"


class Frame(NamedTuple):
    """One snapshot as it goes to the clients. `message` is the ASGI message; nobody may change it."""

    timestamp: float
    previous: float | None
    message: Mapping[str, Any]


def make_layer_message(snapshot: EncodedSnapshot) -> dict[str, Any]:
    """The channel-layer message that carries an encoded snapshot from the publisher to the hubs."""
    return {"type": "snapshot", **snapshot._asdict()}


def make_frame(timestamp: float, previous: float | None, text: str) -> Frame:
    """The frame of an encoded snapshot."""
    return Frame(timestamp, previous, {"type": "websocket.send", "text": text})
