"""What must not be open to others, and so stops the start: development mode, and a site whose key can be guessed."""

import ipaddress
from collections.abc import Iterable

from access.mode import OWN_NAMES

#: The least that a SECRET_KEY has: characters, and different ones among them.
KEY_LENGTH, KEY_VARIETY = 32, 8
#: What keys begin with that others know: Django's in a new project, ours in development.
KNOWN_PREFIXES = ("django-insecure-", "development-only-")
NEW_KEY = "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"


def explain_weak_key(key: str) -> str | None:
    """Why a SECRET_KEY may be guessed, and what to type; None: it is long and varied enough.

    Whoever knows it makes cookies and links of their own, and is whoever they like.
    """
    if key.startswith(KNOWN_PREFIXES):
        weakness = "begins as keys do that everybody knows"
    elif len(key) < KEY_LENGTH:
        weakness = f"has {len(key)} characters, and needs {KEY_LENGTH} at least"
    elif len(set(key)) < KEY_VARIETY:
        weakness = f"has {len(set(key))} different characters, and needs {KEY_VARIETY} at least"
    else:
        return None
    return (
        f"SECRET_KEY {weakness}: who guesses it can log in as anybody. Type {NEW_KEY} and put what it prints into "
        "the environment or into .env; everybody logs in again then."
    )


def explain_exposed_debug(allowed_hosts: Iterable[str]) -> str | None:
    """Why development mode may be seen by others, going by ALLOWED_HOSTS, and what to type; None: it may not."""
    if others := sorted(set(allowed_hosts) - OWN_NAMES):
        return (
            f"DEBUG is on, and ALLOWED_HOSTS names {', '.join(others)}: whoever causes an error there reads code and "
            "settings. Set DEBUG=false, or ALLOWED_HOSTS=localhost,127.0.0.1,[::1]."
        )
    return None


def explain_exposed_address(host: str) -> str | None:
    """Why development mode must not listen at `host`, and what to type; None: nobody else gets there."""
    name = host.strip("[]")
    if f"[{name}]" in OWN_NAMES or name in OWN_NAMES:
        return None
    try:
        if ipaddress.ip_address(name).is_loopback:
            return None
    except ValueError:
        pass
    return (
        f"DEBUG is on, and {host} can be reached from other machines: whoever causes an error reads code and settings. "
        "Set DEBUG=false, or listen at 127.0.0.1 (HOST=127.0.0.1)."
    )
