"""Where a request comes from."""

from django.conf import settings
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """The client's IP address: what the last of TRUSTED_PROXIES saw, or else the connection's own; empty: unknown.

    Each proxy adds to X-Forwarded-For whom it was asked by; what stands before what ours added, anybody may have sent.
    """
    proxies: int = settings.TRUSTED_PROXIES
    if proxies:
        forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        if len(forwarded) >= proxies:
            return forwarded[-proxies][:45]
    return str(request.META.get("REMOTE_ADDR") or "")[:45]
