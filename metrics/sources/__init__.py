"""Where values come from: one module per kind of source, and `Sources`, which asks them all at once."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from django.conf import settings

from metrics.catalogue import Group, SourceKind
from metrics.choices import Choices
from metrics.reading import Problem, Reading
from metrics.sources.host import HostSource
from metrics.sources.mock import MockSource
from metrics.sources.redis import RedisSource

logger = logging.getLogger(__name__)


#: Those that may have to be waited for. All but one are asked in a task, so that all are asked at the same time.
WAITED_FOR = tuple(kind for kind in SourceKind if kind is not SourceKind.MOCK)


class Source(Protocol):
    """Anything that can answer for some groups."""

    async def read(self, choices: Choices, groups: Collection[Group], deadline_s: float) -> Mapping[Group, Reading]:
        """Return one reading per group within `deadline_s` seconds; what goes wrong is a problem, not an exception."""

    async def aclose(self) -> None:
        """Let go of connections and threads."""


class Sources:
    """One source of each kind, made when it is first needed."""

    def __init__(self, seed: int | None = None, redis_url: str | None = None) -> None:
        self._makers: dict[SourceKind, Callable[[], Source]] = {
            SourceKind.MOCK: lambda: MockSource(settings.MOCK_SEED if seed is None else seed),
            SourceKind.REDIS: lambda: RedisSource(redis_url or settings.METRICS_REDIS_URL),
            SourceKind.HOST: HostSource,
        }
        self._made: dict[SourceKind, Source] = {}

    def _source(self, kind: SourceKind) -> Source:
        if kind not in self._made:
            self._made[kind] = self._makers[kind]()
        return self._made[kind]

    async def read(self, choices: Choices, deadline_s: float) -> dict[Group, Reading]:
        """Ask each group's chosen source, all at the same time; a source that fails costs its own groups only."""
        kinds = {choice.kind for choice in choices.values()}
        beside = [kind for kind in WAITED_FOR if kind in kinds][1:]
        asking = [asyncio.create_task(self._read_kind(kind, choices, deadline_s)) for kind in beside]
        merged: dict[Group, Reading] = {}
        try:
            for kind in kinds.difference(beside):
                merged.update(await self._read_kind(kind, choices, deadline_s))
            for task in asking:
                merged.update(await task)
        finally:
            for task in asking:
                task.cancel()  # which does nothing where all is well
        return {group: merged[group] for group in choices}

    async def _read_kind(self, kind: SourceKind, choices: Choices, deadline_s: float) -> Mapping[Group, Reading]:
        groups = [group for group, choice in choices.items() if choice.kind is kind]
        try:
            return await self._source(kind).read(choices, groups, deadline_s)
        except Exception:  # a defect in one source must not stop the stream
            logger.exception("The %s source failed; its metrics are unreachable at this tick.", kind)
            return {group: Reading.failed(group, Problem.UNREACHABLE) for group in groups}

    async def aclose(self) -> None:
        """Close every source that was made."""
        for source in self._made.values():
            await source.aclose()
        self._made.clear()
