"""The settings, and whether they fit each other: Django's own checks, TLS, proxies."""

from collections.abc import Iterator

from django.conf import settings
from django.core.checks import WARNING, run_checks

from access.mode import OWN_NAMES, Mode
from streaming.doctor.finding import Finding


def examine_settings() -> Iterator[Finding]:
    """What Django and the dashboard's own rules say; those for deployments where it is one."""
    wrong = [
        message
        for message in run_checks(include_deployment_checks=settings.HTTPS)
        if message.level >= WARNING and not message.is_silenced()
    ]
    for message in wrong:
        yield Finding("settings", str(message.msg), str(message.hint or "see `manage.py check --deploy`"))
    if not wrong:
        yield Finding("settings", f"read, and fit each other; access: {settings.ACCESS} ({settings.ACCESS_REASON})")


def examine_proxies() -> Iterator[Finding]:
    """Whether TLS, the proxies in front and the names that the site answers to belong together."""
    others = sorted({*settings.ALLOWED_HOSTS} - {*OWN_NAMES})
    proxies = settings.CHOSEN_PROXIES
    if others and not settings.HTTPS:
        what = "passwords and cookies" if settings.ACCESS == Mode.LOGIN else "the admin's password"
        yield Finding(
            "proxies",
            f"HTTPS is off, and ALLOWED_HOSTS names {', '.join(others)}: {what} go over the network in clear",
            "put nginx in front (deploy/nginx/site-tls.conf), then HTTPS=true and TRUSTED_PROXIES=1",
        )
    elif settings.HTTPS and proxies is None:
        yield Finding(
            "proxies",
            "HTTPS is on and TRUSTED_PROXIES is not set: all clients count as one address, the proxy's",
            "TRUSTED_PROXIES=1 (nginx alone in front), or how many there are",
        )
    elif settings.HTTPS and proxies == 0:
        yield Finding(
            "proxies",
            "HTTPS is on and TRUSTED_PROXIES is 0: nobody's X-Forwarded-Proto is believed",
            "TRUSTED_PROXIES=1 where nginx does TLS; else pages are redirected without end",
        )
    else:
        yield Finding("proxies", f"{proxies or 'none'} in front, HTTPS {'on' if settings.HTTPS else 'off'}")
