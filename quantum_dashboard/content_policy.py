"""What browsers are told that pages may do: which addresses they load from, which features they have."""

from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF

#: Of what is no page of ours (a file, a refusal that Django never saw): nothing is loaded or run from within it.
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
#: Features of the browser that no page here uses. What they do use is the screen (wake lock, full screen), the
#: clipboard and passkeys.
UNUSED_FEATURES = (
    "accelerometer",
    "autoplay",
    "browsing-topics",
    "camera",
    "display-capture",
    "encrypted-media",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "serial",
    "usb",
    "xr-spatial-tracking",
)
#: Every answer has these, unless it says otherwise itself.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED_FEATURES),
    "Content-Security-Policy": NOTHING,
}
#: The name under which browsers are told where to send reports.
REPORTS = "csp"


def make_policy(sign_on_url: str | None, report_url: str | None) -> dict[str, Any]:
    """The policy of pages, for django-csp: they load what this site serves, and nothing is inline or framed.

    `sign_on_url`: the provider of single sign-on. `report_url`: where browsers report what the policy forbade.
    """
    provider = urlsplit(sign_on_url or "")
    policy: dict[str, Any] = {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # the favicon that shows the state
        "connect-src": [SELF],  # this site's WebSocket, too
        "manifest-src": [SELF],
        "worker-src": [SELF],
        "base-uri": [NONE],
        # The admin's forms and the login; a login's redirect to the provider counts as well.
        "form-action": [SELF, *([f"{provider.scheme}://{provider.netloc}"] if sign_on_url else [])],
        "frame-ancestors": [NONE],
        # No text becomes markup or code: static/offline/register.js alone names a script's address, and only one.
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["offline"],
    }
    if report_url is not None:
        policy["report-uri"] = [report_url]  # Firefox and Safari; it is the older way
        policy["report-to"] = [REPORTS]
    return {"DIRECTIVES": policy}
