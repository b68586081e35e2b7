"""The lease in Redis: a key that expires, and a counter of the tenures."""

from streaming.publishing.lease import Taken
from streaming.publishing.redis_outlet import LEASE_KEY, STREAM_KEY
from streaming.publishing.redis_script import PromptRedis, Script

#: The number of the newest tenure; only ever rises.
TERM_KEY = "quantum:term"
#: A list with an item for each lease that was freed a moment ago, for one of those who stand by.
RELEASED_KEY = "quantum:released"

#: KEYS: lease, term, stream. ARGV: token, time to live in ms, the highest term known to who asks. Returns the term (0:
#: somebody else's), Redis's time (s, µs), and in how many ms somebody else's ends. Ours is prolonged in its term,
#: unless a higher one has been seen (where a replica that was behind took over). A new term is higher than the counter,
#: the stream's newest entry and the lease that was, whichever is still there. A lease without a time to live was put
#: there by hand: it counts for nothing.
TAKE = Script(
    """
local now = redis.call('TIME')
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'table' and value.err then return value end
local known = tonumber(ARGV[3])
local ttl = redis.call('PTTL', KEYS[1])
if value then
  local term, token = string.match(value, '^(%d+):(.*)$')
  if token == ARGV[1] and tonumber(term) >= known then
    local prolonged = redis.pcall('PEXPIRE', KEYS[1], ARGV[2])
    if type(prolonged) == 'table' and prolonged.err then return prolonged end
    return {tonumber(term), now[1], now[2], 0}
  end
  if token ~= ARGV[1] and ttl >= 0 then return {0, now[1], now[2], ttl} end
  known = math.max(known, tonumber(term) or 0)
end
local counted = redis.pcall('GET', KEYS[2])
if type(counted) == 'string' then known = math.max(known, tonumber(counted) or 0) end
local last = redis.pcall('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
if not last.err and last[1] then
  local fields = last[1][2]
  for i = 1, #fields, 2 do
    if fields[i] == 'term' then known = math.max(known, tonumber(fields[i + 1]) or 0) end
  end
end
local term = string.format('%.0f', known + 1)
local counts = redis.pcall('SET', KEYS[2], term)
if counts.err then return counts end
local taken = redis.pcall('SET', KEYS[1], term .. ':' .. ARGV[1], 'PX', ARGV[2])
if taken.err then return taken end
return {known + 1, now[1], now[2], 0}
"""
)

#: KEYS: lease, released. ARGV: token. The term does not matter: who ends may not have heard of the last one it took.
#: Nobody has to hear of it: who stands by looks again soon, and what nobody has taken from the list is soon gone.
RELEASE = Script(
    """
local value = redis.call('GET', KEYS[1])
if value and string.match(value, '^%d+:(.*)$') == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.pcall('LPUSH', KEYS[2], ARGV[1])
  redis.pcall('PEXPIRE', KEYS[2], 1000)
  return 1
end
return 0
"""
)


class RedisLeaseStore:
    """A LeaseStore (streaming.publishing.lease) in the Redis that the publishers share."""

    def __init__(self, url: str, *, patience_s: float = 1.0) -> None:
        """`patience_s`: how long one question may take in all; a quarter of the lease's time suits."""
        self._redis = PromptRedis(url, patience_s=patience_s)

    async def take(self, token: str, ttl_ms: int, known_term: int) -> Taken:
        """See LeaseStore.take."""
        term, seconds, microseconds, ends_in_ms = await self._redis.run(
            TAKE, (LEASE_KEY, TERM_KEY, STREAM_KEY), token, ttl_ms, known_term
        )
        return Taken(term, int(seconds) + int(microseconds) / 1e6, ends_in_ms / 1000)

    async def wait_for_release(self, at_most_s: float) -> None:
        """See LeaseStore.wait_for_release; half as long as a question may take, so that a Redis that hangs shows."""
        async with self._redis.turn() as redis:
            await redis.blpop([RELEASED_KEY], timeout=min(at_most_s, self._redis.patience_s / 2))

    async def release(self, holder: str) -> None:
        """See LeaseStore.release."""
        try:
            await self._redis.run(RELEASE, (LEASE_KEY, RELEASED_KEY), holder.partition(":")[2])
        finally:
            await self._redis.aclose()
