"""Answers health before anything else looks at the request.

Monitors and supervisors ask a process by its address, past any proxy: whether that is one of ALLOWED_HOSTS, and whether
there is a session or a database, is nothing to them.
"""

from collections.abc import Awaitable, Callable

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from streaming.web.views import health, health_live

VIEWS = {"/stream/health": health, "/stream/health/live": health_live}


class HealthFirst:
    """Django middleware, right below SecurityMiddleware, whose headers its answers carry."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self._get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        view = VIEWS.get(request.path_info.rstrip("/"))
        if view is None:
            return await self._get_response(request)
        response = await view(request)
        if isinstance(response, HttpResponse):  # else uvicorn sends it in chunks, to monitors that speak HTTP/1.0, too
            response["Content-Length"] = str(len(response.content))
        return response
