"""Where our logins differ from allauth's: staff make the users, who is locked out is told until when, and addresses."""

import time
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal.httpkit import clean_client_ip
from allauth.core.internal.ratelimit import get_cache_key, get_rates
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from access.people.signals import locked_out

APP = "allauth.account"
#: The longest that failed logins lock out for (ACCOUNT_RATE_LIMITS).
LONGEST_WAIT_S = 300


class AccountAdapter(DefaultAccountAdapter):
    """allauth's way in, ours in the details."""

    #: With what somebody logs in by password.
    _tried: Mapping[str, Any] = MappingProxyType({})
    error_messages: ClassVar = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": "This name and this password do not belong together.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody lets themselves in: staff make the users."""
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count the try before the password is looked at. Raises ValidationError: too many failed before it."""
        self._tried = credentials
        super().pre_authenticate(request, **credentials)

    def validation_error(self, code: str, *args: Any) -> ValidationError:
        """What a form says; whoever is locked out is told until when, and `locked_out` is sent."""
        if code != "too_many_login_attempts":
            error: ValidationError = super().validation_error(code, *args)
            return error
        seconds = LONGEST_WAIT_S  # of wrong codes it is only known that there were too many
        if self._tried:
            seconds = find_wait(
                self.request, "login_failed", self._get_login_attempts_cache_key(self.request, **self._tried)
            )
        locked_out.send(type(self), request=self.request, name=self._tried.get("username"), seconds=seconds)
        return ValidationError(
            f"Too many failed logins, for this name or from your address. Try again {describe_wait(seconds)}.", code
        )

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """What failed logins of one user count by: not by the site's name, of which there may be several."""
        return unicodedata.normalize("NFKC", str(credentials.get("username", ""))).casefold()

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that the outermost trusted proxy saw, as TRUSTED_PROXIES counts them; else who connected.

        Raises PermissionDenied where there is none.
        """
        address = find_address(request)
        if address is None:
            raise PermissionDenied("Where this request comes from is not known.")
        return address


def find_address(request: HttpRequest) -> str | None:
    """Where a request comes from. An X-Forwarded-For shorter than TRUSTED_PROXIES came past them: it does not count."""
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    proxies = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    address: str | None = clean_client_ip(hops[-proxies]) if 0 < proxies <= len(hops) else None
    return address or clean_client_ip(request.META.get("REMOTE_ADDR") or "")


def find_wait(request: HttpRequest, action: str, key: str | None = None) -> int:
    """Seconds until what a limit forbids now is allowed again."""
    now = time.time()
    waits = [1.0]
    for rate in get_rates(app=APP, action=action):
        if rate.per == "ip" or (rate.per == "key" and key is not None):
            history = cache.get(get_cache_key(request, app=APP, action=action, rate=rate, key=key), [])
            if len(history) >= rate.amount:
                waits.append(history[rate.amount - 1] + rate.duration - now)
    return round(max(waits))


def describe_wait(seconds: int) -> str:
    """`in 40 seconds`, `in 5 minutes`."""
    if seconds < 90:
        return f"in {seconds} second{'' if seconds == 1 else 's'}"
    return f"in {-(-seconds // 60)} minutes"


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """The page for whoever sends too many forms (429): when to come back. allauth finds it as `handler429`."""
    seconds = max(find_wait(request, action) for action in ("login", "reset_password"))
    locked_out.send(AccountAdapter, request=request, name=None, seconds=seconds)
    response = render(request, "429.html", {"wait": describe_wait(seconds)}, status=429)
    response["Retry-After"] = str(seconds)
    return response
