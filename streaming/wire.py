"""How a snapshot travels between processes and onto a socket: what publishing and delivery share."""

from collections.abc import Mapping
from typing import Any

from websockets.frames import Frame as WebSocketFrame
from websockets.frames import Opcode

from metrics.snapshot import EncodedSnapshot

#: The channel-layer group that every process's hub is a member of.
GROUP = "stream.live"


class Frame:
    """One snapshot as it goes to the clients: made once, shared by all of them. Nobody may change it.

    `timestamp` and `previous` (Unix seconds; None: there was none) are its place in the chain, `asgi_message` sends it.
    """

    __slots__ = ("_encoded", "asgi_message", "previous", "timestamp")

    def __init__(self, timestamp: float, previous: float | None, text: str) -> None:
        self.timestamp = timestamp
        self.previous = previous
        self.asgi_message: Mapping[str, Any] = {"type": "websocket.send", "text": text}
        self._encoded: bytes | None = None

    @property
    def encoded(self) -> bytes:
        """A WebSocket's text frame from a server (RFC 6455, section 5.2)."""
        if self._encoded is None:
            self._encoded = WebSocketFrame(Opcode.TEXT, self.text.encode()).serialize(mask=False)
        return self._encoded

    @property
    def text(self) -> str:
        """The snapshot as JSON."""
        text: str = self.asgi_message["text"]
        return text


def make_layer_message(snapshot: EncodedSnapshot) -> dict[str, Any]:
    """The channel-layer message that carries an encoded snapshot from the publisher to the hubs."""
    return {"type": "snapshot", **snapshot._asdict()}


def read_layer_message(message: Mapping[str, Any]) -> Frame:
    """The frame of a channel-layer message."""
    return Frame(message["timestamp"], message["previous"], message["text"])
