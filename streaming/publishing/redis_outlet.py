"""Publishing through Redis: lease and head of the sequence are compared in the step that publishes and keeps.

Redis runs a script alone. So whatever was frozen, late or doubled on its way, a snapshot gets in only from whoever
holds the lease at that moment, and only as the successor of the newest one: the sequence cannot fork here.
"""

import asyncio
import logging
from typing import Any, ClassVar

from metrics.snapshot import EncodedSnapshot
from streaming.publishing.layer import FencedChannelLayer
from streaming.publishing.outlet import Outcome, Published
from streaming.publishing.redis_script import PromptRedis, Script
from streaming.wire import GROUP, make_layer_message

logger = logging.getLogger(__name__)

#: The lease's holder, "<term>:<token>", with a time to live (streaming.publishing.lease).
LEASE_KEY = "quantum:lease"
#: A Redis Stream of the newest snapshots: entry `<id>-0` with the fields previous ("" where unknown), term, text
#: and holder, in this order.
STREAM_KEY = "quantum:stream"

#: KEYS: lease, stream. ARGV: holder, previous ("" where unknown), id, term, text, how many are kept, the group's
#: address, its message. Returns what became of it, and the id that is the newest now (0: none). A write that Redis
#: refuses is returned as it is, which is how its own words get to the caller.
#: What is published already, as the newest, is so again without being sent twice: an answer may have been lost.
#: A head that is older than what the publisher knows to be published has lost that (a replica that was behind took
#: over): the sequence goes on from what is known, and history has what is lost here.
#: Only the milliseconds' part of the head counts: what a foreign hand added with another sequence part cannot block it.
PUBLISH = Script(
    """
local last = redis.pcall('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
if last.err then return last end
local head = last[1] and string.match(last[1][1], '^%d+') or '0'
if head == ARGV[3] then
  local fields = last[1][2]
  if fields[6] == ARGV[5] and fields[8] == ARGV[1] then return {'published', head} end
end
local holder = redis.pcall('GET', KEYS[1])
if type(holder) == 'table' and holder.err then return holder end
if holder ~= ARGV[1] then return {'lost', head} end
if tonumber(head) > (tonumber(ARGV[2]) or 0) then return {'behind', head} end
local added = redis.pcall(
  'XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], ARGV[3] .. '-0',
  'previous', ARGV[2], 'term', ARGV[4], 'text', ARGV[5], 'holder', ARGV[1])
if type(added) == 'table' and added.err then return added end
local sent = redis.pcall('PUBLISH', ARGV[7], ARGV[8])
if type(sent) == 'table' and sent.err then return sent end
return {'published', ARGV[3]}
"""
)


class RedisOutlet:
    """An Outlet on the Redis of the channel layer.

    A publication is one round trip. Reading has a connection of its own, so that no tick waits for who reads.
    """

    decides: ClassVar[bool] = True

    def __init__(self, url: str, layer: FencedChannelLayer, *, patience_s: float = 1.0, keep: int = 1000) -> None:
        """`patience_s`: how long one question may take in all. `keep`: how many snapshots stay, at least."""
        self._layer = layer
        self._keep = keep
        self._publishing = PromptRedis(url, patience_s=patience_s)
        self._reading = PromptRedis(url, patience_s=patience_s)

    async def publish(self, message: EncodedSnapshot, holder: str) -> Published:
        """See Outlet.publish."""
        outcome, head = await self._publishing.run(
            PUBLISH,
            (LEASE_KEY, STREAM_KEY),
            holder,
            "" if message.previous is None else str(message.previous),
            message.id,
            message.term,
            message.text,
            self._keep,
            self._layer.address(GROUP),
            self._layer.serialize(make_layer_message(message)),
        )
        return Published(Outcome(outcome.decode()), int(head) or None)

    async def newest(self, count: int) -> list[EncodedSnapshot]:
        """See Outlet.newest."""
        async with self._reading.turn() as redis:
            entries = await redis.xrevrange(STREAM_KEY, count=count)
        return read_entries(reversed(entries or []))

    async def between(self, after: int, before: int | None) -> list[EncodedSnapshot]:
        """See Outlet.between."""
        if before is not None and before - after < 2:
            return []
        async with self._reading.turn() as redis:
            entries = await redis.xrange(STREAM_KEY, str(after + 1), "+" if before is None else str(before - 1))
        return read_entries(entries or [])

    async def aclose(self) -> None:
        """Close the connections."""
        await asyncio.gather(self._publishing.aclose(), self._reading.aclose(), return_exceptions=True)


def read_entries(entries: Any) -> list[EncodedSnapshot]:
    """The snapshots of a stream's entries; what a foreign hand put among them is left out, and said."""
    snapshots = []
    for entry_id, fields in entries:
        try:
            previous = fields[b"previous"]
            snapshots.append(
                EncodedSnapshot(
                    id=int(entry_id.partition(b"-")[0]),
                    previous=int(previous) if previous else None,
                    term=int(fields[b"term"]),
                    text=fields[b"text"].decode(),
                )
            )
        except (KeyError, ValueError) as error:
            logger.warning("The entry %s of %s is not a snapshot (%r); left out.", entry_id.decode(), STREAM_KEY, error)
    return snapshots
