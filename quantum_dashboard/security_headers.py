"""Headers that protect whoever reads an answer, on all of them: whichever part of the server it comes from.

Django's own middleware does most of it for most answers. Static files, redirects to HTTPS, refusals of a wrong host and
requests that Django cannot even read come from before or beside it.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from typing import Any

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from quantum_dashboard.content_policy import REPORTS

Scope = dict[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Application = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

#: Where an answer says one of these of itself, nobody else keeps it.
KEPT_BY_NOBODY_ELSE = (b"private", b"no-store", b"public")


class SecurityHeaders:
    """ASGI middleware: adds what an answer lacks of SECURITY_HEADERS, and keeps what is personal private."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._headers = [(name.lower().encode(), value.encode()) for name, value in settings.SECURITY_HEADERS.items()]
        if settings.CSP_REPORT_URL:
            where = f'{REPORTS}="{settings.CSP_REPORT_URL}"'
            self._headers.append((b"reporting-endpoints", where.encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = keep_private(message.get("headers", ()))
                present = {name for name, _ in headers}
                headers += [each for each in self._headers if each[0] not in present]
                message = {**message, "headers": headers}
            await send(message)

        await self._application(scope, receive, send_with_headers)


def keep_private(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers, in lower case; an answer that depends on a cookie, or brings one, is for whoever has it alone."""
    kept = [(name.lower(), value) for name, value in headers]
    is_personal = any(name == b"set-cookie" or (name == b"vary" and b"cookie" in value.lower()) for name, value in kept)
    if not is_personal:
        return kept
    said = b", ".join(value for name, value in kept if name == b"cache-control")
    if any(word in said.lower() for word in KEPT_BY_NOBODY_ELSE):
        return kept
    others = [each for each in kept if each[0] != b"cache-control"]
    return [*others, (b"cache-control", b", ".join(filter(None, (said, b"private"))))]


class ContentPolicy(CSPMiddleware):
    """django-csp's, except that the admin makes markup of texts: Django's jQuery cannot do without (Trusted Types)."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """What the policy of this answer differs in."""
        parts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith(reverse("admin:index")):
            parts.replace = {**(parts.replace or {}), "require-trusted-types-for": None, "trusted-types": None}
        return parts
