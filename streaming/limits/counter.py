"""Serves the pages that people work with a few at a time: each takes a thread, and all threads share one core.

Django gives each request a thread of its own. 200 that ask at once to log in are 200 threads, and the event loop, which
sends snapshots and answers monitors, is one of 201.
"""

import collections
from collections.abc import Callable, Coroutine
from typing import Any

from django.conf import settings

from streaming.limits.bodies import answer
from streaming.limits.queue import Queue, QueueFullError

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Coroutine[Any, Any, None]]

#: Requests that are served at once, that may wait for it, and that may wait of one address.
AT_ONCE, WAITING, WAITING_OF_ONE = 3, 100, 20
#: What is meant, where these addresses begin; each line has a queue of its own, so that those who log in, who may be
#: anybody, keep nobody waiting who has.
QUEUES = (("/account/", "/admin/login/"), ("/admin/",))


class Counter:
    """An ASGI application around the one for HTTP. Whoever comes when too many wait already is told to come again."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._queues = [(paths, Queue(AT_ONCE, WAITING)) for paths in QUEUES]
        self._waiting: collections.Counter[str] = collections.Counter()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        queue = next((queue for paths, queue in self._queues if scope["path"].startswith(paths)), None)
        if queue is None:
            await self._application(scope, receive, send)
            return
        address = (scope.get("client") or ["?"])[0]
        if self._waiting[address] >= (AT_ONCE + WAITING_OF_ONE if settings.TRUSTED_PROXIES == 0 else WAITING):
            await refuse(send)
            return
        self._waiting[address] += 1
        try:
            async with queue:
                await self._application(scope, receive, send)
        except QueueFullError:
            await refuse(send)
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]


async def refuse(send: Any) -> None:
    """Say that it is too much at once."""
    await answer(send, 503, "Too many ask for pages at once; try again in a moment.", retry_after_s=5)
