"""A simulated Redis, and how the product's own outlet and lease store reach it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from streaming.publishing.redis_lease_store import RELEASE, TAKE, RedisLeaseStore
from streaming.publishing.redis_outlet import PUBLISH, RedisOutlet
from streaming.publishing.redis_script import Script
from tests.simulation.layer import SimulatedLayer
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Path, Question
from tests.simulation.process import EPOCH, Process
from tests.simulation.redis_state import RedisState
from tests.simulation.watch import Watch

#: Seconds between two copies of the data for the replica.
REPLICATION_S = 0.4


class SimulatedRedis:
    """One server: its data, what waits while it hangs, and who is subscribed."""

    def __init__(self, loop: SimulatedLoop, watch: Watch) -> None:
        self.loop = loop
        self.state = RedisState()
        self.is_up = True
        self.is_hung = False
        self.layers: list[SimulatedLayer] = []
        self._watch = watch
        self._waiting: list[Question] = []
        self._standing_by: list[Question] = []  # who waits for a lease that is freed
        self._replica = RedisState()
        self._copied_at = 0.0

    @property
    def now_ms(self) -> float:
        return (EPOCH + self.loop.now) * 1000 // 1

    def receive(self, question: Question) -> None:
        """Do what `question` wants, or keep it while this hangs: the kernel takes what comes for a frozen process."""
        if not self.is_up:
            question.settle(None, RedisConnectionError("Connection refused"))
        elif self.is_hung:
            self._waiting.append(question)
        else:
            self._work(question)

    def _work(self, question: Question) -> None:
        if self.loop.now - self._copied_at > REPLICATION_S:
            self._replica, self._copied_at = self.state.copy(), self.loop.now
        try:
            result, error = question.work(), None
        except RedisError as refusal:
            result, error = None, refusal
        if question not in self._standing_by:
            question.settle(result, error)

    def run(self, script: Script, arguments: tuple[Any, ...]) -> Any:
        """What a script does, in one step."""
        state, now = self.state, self.now_ms
        if script is PUBLISH:
            holder, answer = state.holder(now), state.publish(now, arguments, self._send)
            self._watch.note_publication(arguments, answer, holder)
            return answer
        if script is TAKE:
            token, ttl_ms, known = arguments
            taken = state.take(now, token, int(ttl_ms), int(known))
            self._watch.note_lease(taken[0], token)
            return taken
        if script is RELEASE:
            is_freed = state.release(now, arguments[0])
            if is_freed and self._standing_by:
                state.released_until_ms = 0.0
                self._standing_by.pop(0).settle(True)
            return is_freed
        raise ResponseError("NOSCRIPT")

    def wait_for_release(self, question: Question, at_most_s: float) -> bool:
        """BLPOP: whether a lease was freed a moment ago; else `question` is answered when one is, or at the end."""
        if self.state.released_until_ms > self.now_ms:
            self.state.released_until_ms = 0.0
            return True
        self._standing_by.append(question)
        self.loop.later(at_most_s, self._end_wait, question)
        return False

    def _end_wait(self, question: Question) -> None:
        if question in self._standing_by and not self.is_hung:
            self._standing_by.remove(question)
            question.settle(None)

    def _send(self, message: Any) -> None:
        for layer in self.layers:
            layer.carry(message)

    def forget(self, process: Process) -> None:
        """A process is gone, and its connections with it."""
        self.layers = [layer for layer in self.layers if layer.process is not process]
        self._standing_by = [one for one in self._standing_by if one.asker != process.name]

    # --- what may happen to it ---

    def hang(self) -> None:
        self.is_hung = True

    def go_on(self) -> None:
        """Do what came while it hung, whoever still waits for it."""
        self.is_hung = False
        waiting, self._waiting = self._waiting, []
        for question in waiting:
            self._work(question)

    def kill(self) -> None:
        """All connections end; what was on its way is not done."""
        self.is_up, self.is_hung = False, False
        self._waiting.clear()
        self._standing_by.clear()
        for layer in self.layers:
            layer.cut()

    def start(self, *, lost: str = "") -> None:
        """Come back with all data, or having `lost` what the replica had not got yet, or "all"."""
        if lost:
            self.lose(lost)
        self.is_up = True
        for layer in self.layers:
            layer.mend_soon()

    def heal(self) -> None:
        """Let it run, and everybody reach it."""
        if not self.is_up:
            self.start()
        if self.is_hung:
            self.go_on()
        for layer in self.layers:
            layer.loss = layer.lag_s = 0.0
            layer.mend_soon()

    def lose(self, lost: str) -> None:
        """Lose the data since the last copy to the replica, or all of it."""
        kept = self._replica.copy() if lost == "latest" else RedisState()
        self._watch.note_data_loss({entry.id for entry in self.state.entries} - {entry.id for entry in kept.entries})
        self.state = kept


class SimulatedPromptRedis:
    """A streaming.publishing.redis_script.PromptRedis whose Redis is simulated."""

    def __init__(self, redis: SimulatedRedis, path: Path, *, patience_s: float, asker: str) -> None:
        self.patience_s = patience_s
        self._redis = redis
        self._path = path
        self._asker = asker

    async def run(self, script: Script, keys: tuple[str, ...], *arguments: Any) -> Any:
        async with asyncio.timeout(self.patience_s):
            return await self._ask(lambda: self._redis.run(script, arguments))

    async def _ask(self, work: Callable[[], Any]) -> Any:
        try:
            return await Question(self._path, work, self._asker).ask(self._redis.receive)
        except RedisConnectionError:  # redis-py connects anew and asks again, once
            return await Question(self._path, work, self._asker).ask(self._redis.receive)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator["SimulatedPromptRedis"]:
        async with asyncio.timeout(self.patience_s):
            yield self

    async def xrevrange(self, key: str, count: int) -> Any:
        return await self._ask(lambda: self._redis.state.newest(count))

    async def blpop(self, keys: list[str], timeout: float) -> None:
        question = Question(self._path, lambda: self._redis.wait_for_release(question, timeout), self._asker)
        await question.ask(self._redis.receive)

    async def xrange(self, key: str, first: str, last: str) -> Any:
        return await self._ask(lambda: self._redis.state.between(first, last))

    async def aclose(self) -> None:
        """Nothing is open."""


class SimulatedOutlet(RedisOutlet):
    """The real outlet, which asks a simulated Redis."""

    def __init__(self, client: SimulatedPromptRedis, layer: SimulatedLayer, *, keep: int = 1000) -> None:
        self._layer: Any = layer
        self._keep = keep
        self._publishing: Any = client
        self._reading: Any = client


class SimulatedLeaseStore(RedisLeaseStore):
    """The real lease store, which asks a simulated Redis."""

    def __init__(self, client: SimulatedPromptRedis) -> None:
        self._redis: Any = client
