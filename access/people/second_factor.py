"""Who must have a second factor, as REQUIRE_MFA says, and has none."""

from collections.abc import Awaitable, Callable
from typing import Any

from allauth.mfa.models import Authenticator
from asgiref.sync import markcoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib import messages
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

#: What counts: recovery codes are only made beside one of these.
KINDS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def is_required_of(user: Any) -> bool:
    """Whether this user must have a second factor."""
    return settings.REQUIRE_MFA == "all" or (settings.REQUIRE_MFA == "staff" and user.is_staff)


def second_factors(user: Any | OuterRef) -> QuerySet[Any]:
    """The second factors of a user."""
    factors: QuerySet[Any] = Authenticator.objects.filter(user=user, type__in=KINDS)
    return factors


class SecondFactorForStaff:
    """Django middleware: leads staff who lack a second factor from the admin to where they set one up."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self._get_response = get_response
        self._admin = reverse("admin:index")
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_concerned = settings.REQUIRE_MFA != "none" and request.path_info.startswith(self._admin)
        if is_concerned and await sync_to_async(lacks_second_factor)(request):
            messages.warning(request, "Set up a second factor first: the admin needs one.")
            return redirect("mfa_index")
        return await self._get_response(request)


def lacks_second_factor(request: HttpRequest) -> bool:
    """Whether somebody is logged in who must have a second factor and has none (blocking)."""
    user = request.user
    return user.is_authenticated and is_required_of(user) and not second_factors(user).exists()
