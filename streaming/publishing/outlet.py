"""Where the publisher lets go of a snapshot: what the outlet has published is published, and nothing else is."""

from enum import StrEnum
from typing import ClassVar, NamedTuple, Protocol

from channels.layers import BaseChannelLayer

from metrics.snapshot import EncodedSnapshot
from streaming.wire import GROUP, make_layer_message


class Outcome(StrEnum):
    """What became of a snapshot that was to be published."""

    #: It is the newest of the sequence.
    PUBLISHED = "published"
    #: The lease is not this publisher's any more: nothing was published.
    LOST = "lost"
    #: The newest of the sequence is not its `previous`: nothing was published.
    BEHIND = "behind"


class Published(NamedTuple):
    """The outlet's answer. `head`: the id of the newest snapshot now; None where the outlet has none."""

    outcome: Outcome
    head: int | None


class Outlet(Protocol):
    """Publishes, and has the last minutes of what was published, whoever did.

    `decides`: whether it is its answer that makes a snapshot a part of the sequence. Else nobody but this process
    publishes, and a snapshot is part of it as soon as it is kept.
    """

    decides: ClassVar[bool]

    async def publish(self, message: EncodedSnapshot, holder: str) -> Published:
        """Publish for the holder of the lease, or say why not.

        Raises OSError, RedisError or TimeoutError: then nobody knows whether it was, or will be, published. The head
        that a later answer names, and `between`, tell; or publish the same again: the newest is not published twice.
        """

    async def newest(self, count: int) -> list[EncodedSnapshot]:
        """The newest `count` that it still has, oldest first. Raises as `publish`."""

    async def between(self, after: int, before: int | None) -> list[EncodedSnapshot]:
        """What it still has between two ids (exclusive; None: no end), oldest first. Raises as `publish`."""

    async def aclose(self) -> None:
        """Close what it has open."""


class LayerOutlet:
    """For the in-memory channel layer: one process, one publisher, and no past beyond the hub's own."""

    decides: ClassVar[bool] = False

    def __init__(self, layer: BaseChannelLayer) -> None:
        self._layer = layer

    async def publish(self, message: EncodedSnapshot, holder: str) -> Published:
        """See Outlet.publish; nobody else can have published."""
        await self._layer.group_send(GROUP, make_layer_message(message))
        return Published(Outcome.PUBLISHED, message.id)

    async def newest(self, count: int) -> list[EncodedSnapshot]:
        """See Outlet.newest; there is none."""
        return []

    async def between(self, after: int, before: int | None) -> list[EncodedSnapshot]:
        """See Outlet.between; there is none."""
        return []

    async def aclose(self) -> None:
        """Nothing is open."""
