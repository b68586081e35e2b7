"""Lets pages of other sites read over HTTP what they may open as a stream, and no more (CORS).

A page that follows `/stream/live` fills in what it missed from `/stream/history`, and polls `/stream/latest` where no
WebSocket gets through. No cookie is asked for or accepted from elsewhere: where access is by login, such a page sends a
token.
"""

from collections.abc import Awaitable, Callable

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from streaming.delivery.origin import OriginMiddleware

#: Every read of the stream, whichever come to be.
PREFIX = "/stream/"
#: What an allowed page may do, and the headers beyond the usual that it may send and read.
METHODS = "GET, HEAD"
SENT = "Authorization, Cache-Control, If-Modified-Since, If-None-Match"
READ = "Content-Disposition, ETag, Retry-After"
#: Seconds for which a browser need not ask again whether it may ask.
KEPT_S = 600


class CrossOrigin:
    """Django middleware around everything that answers, so that its refusals can be read, too."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self._get_response = get_response
        self._rule = OriginMiddleware(None, settings.STREAM_ALLOWED_ORIGINS)
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PREFIX):
            return await self._get_response(request)
        asks_first = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if asks_first else await self._get_response(request)
        patch_vary_headers(response, ("Origin",))
        origin = request.headers.get("Origin", "")
        if not origin or not self._rule.is_allowed(origin, request.headers.get("Host", "")):
            return response
        response.headers["Access-Control-Allow-Origin"] = origin
        if asks_first:
            response.headers["Access-Control-Allow-Methods"] = METHODS
            response.headers["Access-Control-Allow-Headers"] = SENT
            response.headers["Access-Control-Max-Age"] = str(KEPT_S)
        else:
            response.headers["Access-Control-Expose-Headers"] = READ
        return response
