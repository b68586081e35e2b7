"""Serves the pages that people work with a few at a time: each takes a thread, and all threads share one core.

Django gives each request a thread of its own. 200 that ask at once to log in are 200 threads, and the event loop, which
sends snapshots and answers monitors, is one of 201.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from streaming.limits.bodies import answer
from streaming.limits.queue import Queue, QueueFullError

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Coroutine[Any, Any, None]]

#: Requests that are served at once, and that may wait for it.
AT_ONCE, WAITING = 3, 100
#: What is meant: where these addresses begin.
PAGES = ("/admin/", "/account/")


class Counter:
    """An ASGI application around the one for HTTP. Whoever comes when WAITING wait already is told to come again."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._queue = Queue(AT_ONCE, WAITING)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if not scope["path"].startswith(PAGES):
            await self._application(scope, receive, send)
            return
        try:
            async with self._queue:
                await self._application(scope, receive, send)
        except QueueFullError:
            await answer(send, 503, "Too many ask for pages at once; try again in a moment.", retry_after_s=5)
