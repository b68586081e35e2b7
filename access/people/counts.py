"""Counts that all processes share, in Redis; while that is away, each process counts for itself.

So nobody gets rid of a limit by it, nor does anybody stay locked out: people log in without Redis, too.
"""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

T = TypeVar("T")


class SharedCounts(RedisCache):
    """Django's cache in Redis, with one in memory for while that does not answer."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._own = LocMemCache("shared-counts", {"OPTIONS": {"MAX_ENTRIES": 50_000}})
        self._is_away = False

    def _ask(self, question: Callable[[Any], T]) -> T:
        try:
            answer = question(super())
        except (RedisError, OSError) as error:
            if not self._is_away:
                self._is_away = True
                logger.warning("Redis does not count logins (%s): this process counts its own.", error)
            return question(self._own)
        self._is_away = False
        return answer

    def get(self, key: Any, *args: Any, **options: Any) -> Any:
        """What is kept."""
        return self._ask(lambda cache: cache.get(key, *args, **options))

    def set(self, key: Any, value: Any, *args: Any, **options: Any) -> Any:
        """Keep something."""
        return self._ask(lambda cache: cache.set(key, value, *args, **options))

    def add(self, key: Any, value: Any, *args: Any, **options: Any) -> Any:
        """Keep something where nothing is yet; return whether that was so."""
        return self._ask(lambda cache: cache.add(key, value, *args, **options))

    def delete(self, key: Any, *args: Any, **options: Any) -> Any:
        """Keep it no longer."""
        return self._ask(lambda cache: cache.delete(key, *args, **options))
