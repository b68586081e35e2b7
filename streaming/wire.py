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

    `id`, `previous` (None: not known) and `term` are its place in the sequence; `asgi_message` sends it.
    """

    __slots__ = ("_encoded", "asgi_message", "id", "previous", "term")

    def __init__(self, id: int, previous: int | None, term: int, text: str) -> None:  # noqa: A002 - the wire's word
        self.id = id
        self.previous = previous
        self.term = term
        self.asgi_message: Mapping[str, Any] = {"type": "websocket.send", "text": text}
        self._encoded: bytes | None = None

    @property
    def text(self) -> str:
        """The snapshot as JSON."""
        text: str = self.asgi_message["text"]
        return text

    @property
    def encoded(self) -> bytes:
        """A WebSocket's text frame from a server (RFC 6455, section 5.2)."""
        if self._encoded is None:
            self._encoded = WebSocketFrame(Opcode.TEXT, self.text.encode()).serialize(mask=False)
        return self._encoded

    def leaves_hole_after(self, after: int) -> bool:
        """Whether a client whose newest snapshot is `after` lacks one before this.

        Where what came before is not known (`previous` is None), it is not known to lack one: it sees that itself.
        """
        return after >= 0 and self.previous is not None and self.previous > after

    def shown_after(self, after: int) -> "Frame":
        """This snapshot for whoever has everything up to the id `after` (negative: wants nothing before it).

        It is this very one where it continues that, or does not know what it continues. Else it says so: something
        between is missing, or `after` is a snapshot that this one does not come after (a fork).
        """
        is_told = after < 0 or self.previous is None or self.previous == after
        return self if is_told else self.after_a_hole(after)

    def after_a_hole(self, after: int) -> "Frame":
        """This snapshot for whoever has everything up to the id `after`, and cannot get what came between."""
        missed = f',"missed":{{"after":{after},"before":{self.id}}}}}'
        return Frame(self.id, self.previous, self.term, self.text[:-1] + missed)


def make_layer_message(message: EncodedSnapshot) -> dict[str, Any]:
    """The channel-layer message that carries an encoded snapshot from the publisher to the hubs."""
    return {"type": "snapshot", **message._asdict()}


def read_layer_message(message: Mapping[str, Any]) -> Frame:
    """The frame of a channel-layer message."""
    return Frame(message["id"], message["previous"], message["term"], message["text"])
