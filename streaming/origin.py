"""Keeps pages of other sites from opening the stream in a visitor's browser."""

import logging
from typing import Any
from urllib.parse import urlparse

from channels.security.websocket import OriginValidator
from django.conf import settings
from django.http.request import split_domain_port, validate_host

logger = logging.getLogger(__name__)


class OriginGuard(OriginValidator):
    """Lets in programs (no Origin), this site's own pages, and the sites in `STREAM_ALLOWED_ORIGINS`.

    A browser always sends the Origin of the page. It is this site's own where its host and port are those of the
    request and the host is one of ALLOWED_HOSTS.
    """

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        if not origin or self.is_allowed(origin, host):
            await self.application(scope, receive, send)
            return
        logger.warning(
            "Refused a WebSocket from a page of %r: this site is %r. To let it in, add it to STREAM_ALLOWED_ORIGINS.",
            origin[:200],
            host[:200],
        )
        await receive()  # websocket.connect
        await send({"type": "websocket.close", "code": 4403})  # before the handshake: HTTP 403

    def is_allowed(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` may open the stream of the site that it addressed as `host`."""
        if origin in self.allowed_origins:
            return True
        try:
            parsed = urlparse(origin)
            is_own = parsed.netloc.lower() == host.lower() and parsed.scheme in {"http", "https"}
            return (is_own and is_own_host(host)) or self.validate_origin(parsed)
        except ValueError:  # a port that is no number, a half-open bracket
            return False


def is_own_host(host: str) -> bool:
    """Whether Django would answer a request for `host` (its ALLOWED_HOSTS, and localhost with DEBUG)."""
    allowed = settings.ALLOWED_HOSTS or ([".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    return validate_host(split_domain_port(host)[0], allowed)
