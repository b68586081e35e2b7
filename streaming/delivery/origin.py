"""Keeps pages of other sites from opening the stream in a visitor's browser."""

import logging
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlparse

from channels.security.websocket import OriginValidator, WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

logger = logging.getLogger(__name__)


class OriginMiddleware(OriginValidator):
    """Lets in programs (no Origin), this site's own pages, and the sites among `allowed_origins`.

    A browser always sends the Origin of the page. It is this site's own where its host and port are those of the
    request and the host is one of ALLOWED_HOSTS. Others get HTTP 403.
    """

    _asgi_single_callable = True  # asgiref: an ASGI 3 application, although it is no coroutine function

    def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Coroutine[Any, Any, None]:
        """Return what serves the connection instead of awaiting it: whatever awaits stays in memory with it."""
        application = self.application if self.lets_in(scope) else WebsocketDenier()
        serving: Coroutine[Any, Any, None] = application(scope, receive, send)
        return serving

    def lets_in(self, scope: dict[str, Any]) -> bool:
        """Whether the connection of this ASGI scope may be opened; a refusal is logged with how to allow it."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        if not origin or self.is_allowed(origin, host):
            return True
        logger.warning(
            "Refused a WebSocket from a page of %r: this site is %r. To let it in, add it to STREAM_ALLOWED_ORIGINS.",
            origin[:200],
            host[:200],
        )
        return False

    def is_allowed(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` may open the stream of the site that it addressed as `host`."""
        if origin in self.allowed_origins:
            return True
        try:
            parsed = urlparse(origin)
            is_own = parsed.netloc.lower() == host.lower() and parsed.scheme in {"http", "https"}
            return (is_own and is_own_host(host)) or bool(self.validate_origin(parsed))
        except ValueError:  # a port that is no number, a half-open bracket
            return False


def is_own_host(host: str) -> bool:
    """Whether Django would answer a request for `host` (its ALLOWED_HOSTS, and localhost with DEBUG)."""
    allowed = settings.ALLOWED_HOSTS or ([".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    return validate_host(split_domain_port(host)[0], allowed)
