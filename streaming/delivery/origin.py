"""Which WebSockets may be opened at all: for this site, over TLS where the site is, from pages that are allowed to.

Django asks the same of HTTP requests (ALLOWED_HOSTS, SECURE_SSL_REDIRECT) and Channels of none.
"""

import functools
import logging
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlparse

from channels.security.websocket import OriginValidator
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from twisted.internet.interfaces import ISSLTransport

from streaming.delivery.refusal import refuse

logger = logging.getLogger(__name__)


class OriginMiddleware(OriginValidator):
    """Lets in programs (no Origin), this site's own pages, and the sites among `allowed_origins`.

    All of them ask for a host of ALLOWED_HOSTS. A browser always sends the Origin of the page; it is this site's own
    where its host and port are those of the request. Others get HTTP 403.
    """

    _asgi_single_callable = True  # asgiref: an ASGI 3 application, although it is no coroutine function

    def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Coroutine[Any, Any, None]:
        """Return what serves the connection instead of awaiting it: whatever awaits stays in memory with it."""
        is_let_in = self.lets_in(scope, is_encrypted=not settings.HTTPS or is_encrypted(scope, send))
        application = self.application if is_let_in else refuse
        serving: Coroutine[Any, Any, None] = application(scope, receive, send)
        return serving

    def lets_in(self, scope: dict[str, Any], *, is_encrypted: bool = False) -> bool:
        """Whether the connection of this ASGI scope may be opened; a refusal is logged with how to allow it."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        if not is_own_host(host):
            logger.warning(
                "Refused a WebSocket for %r, which is not this site: if it is, add it to ALLOWED_HOSTS.", host[:200]
            )
        elif settings.HTTPS and not is_encrypted:
            logger.warning(
                "Refused a WebSocket without TLS for %r, for HTTPS is on: use wss://, and have the proxy in front set "
                "X-Forwarded-Proto.",
                host[:200],
            )
        elif origin and not self.is_allowed(origin, host):
            logger.warning(
                "Refused a WebSocket from a page of %r: this site is %r. To let it in, add it to "
                "STREAM_ALLOWED_ORIGINS.",
                origin[:200],
                host[:200],
            )
        else:
            return True
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
    return is_one_of(host, tuple(allowed))


@functools.lru_cache(maxsize=64)  # nearly all ask for the same one, and to look took a twelfth of a connect
def is_one_of(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether `host`, with a port or without, is one that these patterns allow."""
    return validate_host(split_domain_port(host)[0], allowed)


def is_encrypted(scope: dict[str, Any], send: Any = None) -> bool:
    """Whether a WebSocket came over TLS: to this server, or to the proxy in front, where its word counts."""
    if settings.SECURE_PROXY_SSL_HEADER is not None:
        header, value = settings.SECURE_PROXY_SSL_HEADER
        name = header.removeprefix("HTTP_").replace("_", "-").lower().encode()
        said = dict(scope["headers"]).get(name)
        if said is not None:  # as Django reads it for HTTP
            return bool(said.decode("latin-1").split(",")[0].strip() == value)
    if scope.get("scheme") == "wss":
        return True
    # Daphne tells the scheme of no WebSocket; its `send` is functools.partial(handle_reply, protocol).
    protocol = send.args[0] if isinstance(send, functools.partial) and send.args else None
    return ISSLTransport(getattr(protocol, "transport", None), None) is not None
