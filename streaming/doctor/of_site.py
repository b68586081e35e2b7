"""The site as others reach it: its certificate, and what its health says."""

import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings

from streaming.doctor.finding import Finding

PATIENCE_S = 5
#: Days that a certificate should still last: certbot renews 30 days before the end.
FEW_DAYS = 14


def examine_site(url: str) -> Iterator[Finding]:
    """`url`: of the site, https://your.host."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        yield examine_certificate(parts.hostname or "", parts.port or 443)
    yield from examine_health(f"{parts.scheme}://{parts.netloc}/stream/health")


def examine_certificate(host: str, port: int) -> Finding:
    """Whether browsers believe it, and for how long."""
    try:
        with (
            socket.create_connection((host, port), PATIENCE_S) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as connection,
        ):
            certificate = connection.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message
        return Finding(
            "certificate", f"{host} is not believed: {why}", f"certbot certonly --nginx -d {host}, then nginx -s reload"
        )
    except OSError as error:
        return Finding("certificate", f"{host}:{port} cannot be reached: {error}", "nginx -t, and look whether it runs")
    days = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / 86400
    return Finding("certificate", f"{host}'s lasts {days:.0f} days", "certbot renew" if days < FEW_DAYS else "")


def examine_health(address: str) -> Iterator[Finding]:
    """What the server there says of itself."""
    try:
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE_S) as response:  # noqa: S310 - an operator's own
                report = json.load(response)
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            report = json.load(error)
        status, reasons, version = report["status"], list(report["reasons"]), report["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield Finding("health", f"{address} does not tell: {error}", "look whether the server runs, and at its log")
        return
    yield Finding("health", status, "" if status == "ok" else f"{' '.join(reasons)} See docs/health.md")
    if version != settings.VERSION:
        yield Finding(
            "version", f"{version} runs there, {settings.VERSION} is here", "systemctl reload quantum-dashboard"
        )
