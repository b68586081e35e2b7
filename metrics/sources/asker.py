"""Asks what each source would say, for somebody who looks before switching: beside the publisher, never in its way."""

import asyncio
import threading
from collections.abc import Collection, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import TypeVar

from django.conf import settings
from redis.exceptions import RedisError

from metrics.catalogue import Group, SourceKind
from metrics.choices import DEFAULT_CHOICES, Choices
from metrics.inquiry import Inquiry
from metrics.reading import Problem, Reading
from metrics.sources.host import GROUPS as HOST_GROUPS
from metrics.sources.host import HostSource
from metrics.sources.mock import MockSource
from metrics.sources.redis import Answer, RedisSource, compose_reading

T = TypeVar("T")

#: Seconds that whoever looks waits for all sources together.
PATIENCE_S = 0.8
#: Seconds over which this host's CPU use is measured: long enough to mean something, shorter than the patience.
CPU_WINDOW_S = 0.4


@dataclass(frozen=True, slots=True)
class RedisAnswers:
    """What Redis holds, key by key, or why it does not say."""

    address: str
    answers: Mapping[str, Answer] = field(default_factory=dict)
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class SourceAnswers:
    """What the sources that were asked say: readings by kind and group, and what Redis holds."""

    readings: Mapping[SourceKind, Mapping[Group, Reading]]
    redis: RedisAnswers


class Asker:
    """Asks from a thread with an event loop of its own; what hangs there holds up neither the stream nor a tick.

    However many people look, and however long a source takes, each is asked once at a time (see Inquiry), so that what
    hangs holds one thread and one connection. The thread is a daemon: it keeps no process from ending.
    """

    def __init__(self, redis_url: str | None = None) -> None:
        self._redis = RedisSource(redis_url or settings.METRICS_REDIS_URL)
        self._host = HostSource(CPU_WINDOW_S)
        self._mock = MockSource(settings.MOCK_SEED)
        self._redis_inquiry = Inquiry(lambda: self._redis.fetch(list(Group), PATIENCE_S), keep_s=PATIENCE_S)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def ask(self, kinds: Collection[SourceKind], choices: Choices, now_s: float) -> SourceAnswers:
        """Ask the sources of these `kinds`, all at once, for the groups in `choices` (blocking).

        Takes PATIENCE_S seconds at most; what has not answered by then is `unreachable`. `now_s`, Unix seconds, and the
        maximum age in `choices` judge how old heartbeats are.
        """
        future = asyncio.run_coroutine_threadsafe(self._ask(kinds, choices, now_s), self._running_loop())
        try:
            return future.result(2 * PATIENCE_S)  # twice: the deadlines are within, this one is for a stuck thread
        except (TimeoutError, CancelledError):
            future.cancel()
            readings = {kind: fail_all(kind) for kind in kinds}
            return SourceAnswers(readings, RedisAnswers(self._redis.address, why_not="nothing was asked in time"))

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="asker", daemon=True).start()
            return self._loop

    async def _ask(self, kinds: Collection[SourceKind], choices: Choices, now_s: float) -> SourceAnswers:
        async def ask_host() -> Mapping[Group, Reading]:
            return await self._host.read(DEFAULT_CHOICES, HOST_GROUPS, PATIENCE_S)

        async def ask_mock() -> Mapping[Group, Reading]:
            return await self._mock.read(DEFAULT_CHOICES, list(Group), PATIENCE_S)

        redis, host, mock = await asyncio.gather(
            self._ask_redis() if SourceKind.REDIS in kinds else nothing(RedisAnswers(self._redis.address)),
            ask_host() if SourceKind.HOST in kinds else nothing({}),
            ask_mock() if SourceKind.MOCK in kinds else nothing({}),
        )
        readings = {SourceKind.HOST: host, SourceKind.MOCK: mock, SourceKind.REDIS: {}}
        if redis.why_not is not None:
            readings[SourceKind.REDIS] = fail_all(SourceKind.REDIS)
        elif redis.answers:
            readings[SourceKind.REDIS] = {
                group: compose_reading(group, redis.answers, now=now_s, max_age_s=choices[group].max_age_s)
                for group in choices
            }
        return SourceAnswers(readings, redis)

    async def _ask_redis(self) -> RedisAnswers:
        try:
            return RedisAnswers(self._redis.address, await self._redis_inquiry.answer(PATIENCE_S))
        except TimeoutError:
            return RedisAnswers(self._redis.address, why_not=f"no answer within {PATIENCE_S:g} s")
        except (OSError, RedisError) as error:
            return RedisAnswers(self._redis.address, why_not=str(error).rstrip(".") or type(error).__name__)


def fail_all(kind: SourceKind) -> dict[Group, Reading]:
    """What a source that does not answer says of every group that it could answer for."""
    return {group: Reading.failed(group, Problem.UNREACHABLE) for group in Group if kind in group.kinds}


async def nothing(answer: T) -> T:
    """For a source that is not asked."""
    return answer
