"""Sends the viewers of share links what their link shows of each snapshot, and nothing else.

What a link shows of a snapshot is encoded once, for all of its viewers and for all who resume; everybody else's sending
knows nothing of it.
"""

import functools
import json
import logging
from collections.abc import Awaitable
from typing import ClassVar

from access.share import Share, show_message
from streaming.delivery.sending import Sender, SteppingBack
from streaming.wire import Frame

logger = logging.getLogger(__name__)

#: How many frames of shares are kept, of all links together (about 1 KB each).
KEPT = 4096


@functools.lru_cache(maxsize=KEPT)
def show_frame(frame: Frame, share: Share) -> Frame:
    """What `share` shows of `frame`, at the same place in the sequence."""
    shown = show_message(json.loads(frame.text), share)
    logger.debug("Encoding %d for a share link.", frame.id)
    text = json.dumps(shown, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Frame(frame.id, frame.previous, frame.term, text)


class SharedSender:
    """A Sender that sends what a link shows."""

    __slots__ = ("_sender", "_share")
    name: ClassVar[str] = "shared"

    def __init__(self, sender: Sender, share: Share) -> None:
        """`sender`: the connection's own."""
        self._sender = sender
        self._share = share

    @property
    def descriptor(self) -> int:
        """See Sender."""
        return self._sender.descriptor

    def watch(self, client: SteppingBack | None) -> None:
        """See Sender."""
        self._sender.watch(client)

    def is_clear(self) -> bool:
        """See Sender."""
        return self._sender.is_clear()

    def write(self, data: bytes) -> Awaitable[None] | None:
        """See Sender."""
        return self._sender.write(data)

    def __call__(self, frame: Frame) -> Awaitable[None] | None:
        return self._sender(show_frame(frame, self._share))

    def close(self, code: int, reason: str) -> Awaitable[None] | None:
        return self._sender.close(code, reason)

    def drop(self) -> None:
        """See Sender."""
        self._sender.drop()
