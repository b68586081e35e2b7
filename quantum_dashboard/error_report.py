"""Django's page for errors in development mode, without the passwords that settings and variables contain."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter

#: User and password of an address.
CREDENTIALS = re.compile(r"(\w://)[^/@\s\"'<>]+@")
#: Shorter ones would stand in every other word.
SHORTEST = 4
HIDDEN = "********"


class DiscreetReporter(ExceptionReporter):
    """Hides what is secret wherever it stands: Django goes by settings' names, and addresses have passwords, too."""

    def get_traceback_html(self) -> SafeString:
        """The page."""
        return SafeString(hide(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        """The same for programs and mails."""
        return SafeString(hide(super().get_traceback_text()))


def hide(text: str) -> str:
    """`text` without secrets."""
    for secret in sorted(find_secrets(), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return CREDENTIALS.sub(rf"\1{HIDDEN}@", text)


def find_secrets() -> Iterator[str]:
    """Every password and key of the settings, in each way in which it may be written."""
    for secret in (
        settings.SECRET_KEY,
        settings.DATABASES["default"].get("PASSWORD"),
        settings.EMAIL_HOST_PASSWORD,
        settings.OIDC_CLIENT_SECRET,
        password_in(settings.REDIS_URL),
        password_in(settings.METRICS_REDIS_URL),
    ):
        for form in forms_of(secret):
            if len(form) >= SHORTEST:
                yield form


def password_in(url: str | None) -> str | None:
    """The password of an address, as it is written there."""
    return urlsplit(url).password if url else None


def forms_of(secret: Any) -> set[str]:
    """A secret as it is, as addresses have it, and both as they stand in HTML and in Python."""
    if not secret:
        return set()
    plain = unquote(str(secret))
    written = {str(secret), plain, quote(plain, safe="")}
    written |= {repr(each)[1:-1] for each in written}
    return written | {escape(each) for each in written}
