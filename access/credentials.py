"""What a request brings to say who it comes from: a session's cookie, a token, or the address of a share link.

A token comes as `Authorization: Bearer qtd_…` (RFC 6750, section 2.1), or, where a browser's WebSocket can send no such
header, as one of the subprotocols that it offers: `bearer.qtd_…`. Never in an address: those are logged and shared. A
share link is an address, and shows no more than somebody meant to share.
"""

import hashlib
import secrets
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import parse_qsl

from django.conf import settings

from access.viewer import RefusedError

#: What every token begins with, so that scanners of code and logs know it.
PREFIX = "qtd_"
#: Before a token among the subprotocols that a WebSocket offers.
SUBPROTOCOL = "bearer."
#: The secret in the address of a share link, as a regular expression: 256 bits.
LINK = "[A-Za-z0-9_-]{43}"
#: Longer ones are nobody's.
LONGEST = 200


class Credential(NamedTuple):
    """`kind` is "session", "token" or "link"; `secret` the session's key, or the digest of the token or of the link."""

    kind: str
    secret: str


def make_token() -> str:
    """A new token: 256 random bits after its prefix."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """What is kept of a token or link. It has too many bits to be guessed: a plain hash does (SHA-256, hex)."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_credential(headers: Iterable[tuple[bytes, bytes]], query: bytes) -> Credential | None:
    """What an ASGI scope's headers say; None: nothing. A token goes before a session.

    Raises RefusedError (400) for a token in the address, and for an Authorization that is none of ours.
    """
    refuse_token_in_address(query)
    cookies: list[str] = []
    for name, value in headers:
        text = value.decode("latin-1")
        if name == b"authorization":
            return read_authorization(text)
        if name == b"sec-websocket-protocol" and (token := find_subprotocol(text)):
            return Credential("token", digest_of(token.removeprefix(SUBPROTOCOL)))
        if name == b"cookie":
            cookies.append(text)
    key = find_session_key("; ".join(cookies)) if cookies else None
    return Credential("session", key) if key else None


def read_link(secret: str, query: bytes) -> Credential:
    """What the address of a share link says; nothing else that comes with the request counts.

    Raises RefusedError (400) for a token in the query string.
    """
    refuse_token_in_address(query)
    return Credential("link", digest_of(secret))


def refuse_token_in_address(query: bytes) -> None:
    """Raise RefusedError (400) where a query string carries a token."""
    if PREFIX.encode() not in query and b"token" not in query:
        return
    for name, value in parse_qsl(query.decode("latin-1")):
        if value.startswith(PREFIX) or name in {"token", "access_token"}:
            raise RefusedError(
                400,
                "no token in an address, where it is logged: send 'Authorization: Bearer ...', and revoke this one",
            )


def read_authorization(header: str) -> Credential:
    """The token of an Authorization header. Raises RefusedError (400)."""
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token.startswith(PREFIX) or len(token) > LONGEST:
        raise RefusedError(400, f"Authorization must be 'Bearer {PREFIX}...' with a token of this site")
    return Credential("token", digest_of(token))


def find_subprotocol(header: str) -> str | None:
    """The subprotocol that carries a token, among those that a WebSocket offers."""
    for name in header.split(","):
        if (name := name.strip()).startswith(SUBPROTOCOL + PREFIX) and len(name) <= LONGEST:
            return name
    return None


def find_session_key(header: str) -> str | None:
    """The session's key in a Cookie header."""
    try:
        morsel = SimpleCookie(header).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    return morsel.value if morsel is not None and 8 <= len(morsel.value) <= LONGEST else None
