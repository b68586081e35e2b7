"""Finds out in the database whom credentials belong to; many at once cost as many queries as one."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from access.credentials import Credential
from access.models import AccessToken, ShareLink
from access.people import sessions
from access.people.second_factor import is_required_of, second_factors
from access.viewer import Admission, RefusedError, Scope, SecondFactorMissingError, Viewer

#: The permission that lets somebody look.
LOOK = "access.look"
#: The permission that lets somebody make share links.
SHARE = "access.share"

Found = dict[Credential, Admission | RefusedError]

SIGN_IN_AGAIN = "sign in again"
LINK_ENDED = "this link was revoked, has expired or never was: ask whoever gave it to you"


def look_up(credentials: Collection[Credential]) -> Found:
    """Who each one is, or why they are not let in (blocking). Raises django.db.Error."""
    by_kind: dict[str, list[str]] = {"session": [], "token": [], "link": []}
    for kind, secret in credentials:
        by_kind[kind].append(secret)
    return {
        **look_up_sessions(by_kind["session"]),
        **look_up_tokens(by_kind["token"]),
        **look_up_links(by_kind["link"]),
    }


def look_up_sessions(keys: Collection[str]) -> Found:
    """Whose session each key is: two queries."""
    found: Found = {Credential("session", key): RefusedError(401, SIGN_IN_AGAIN) for key in keys}
    if not keys:
        return found
    sessions = {
        session.session_key: (session.get_decoded(), session.expire_date)
        for session in Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    }
    users = find_users({data.get(SESSION_KEY) for data, _ in sessions.values()} - {None})
    for key, (data, expire_date) in sessions.items():
        user = users.get(str(data.get(SESSION_KEY)))
        if user is not None and is_hash_right(user, data.get(HASH_SESSION_KEY, "")):
            found[Credential("session", key)] = admit_user(user, key, expire_date)
    return found


def find_users(ids: Collection[Any]) -> dict[str, Any]:
    """The active users of these ids, by their id as text: one query.

    Each with `may_look`, `may_share` and `has_second_factor`.
    """
    if not ids:
        return {}
    users: Any = get_user_model().objects
    rows = users.filter(pk__in=ids, is_active=True).annotate(
        may_look=holds(LOOK, "pk"),
        may_share=holds(SHARE, "pk"),
        has_second_factor=Exists(second_factors(OuterRef("pk"))),
    )
    return {str(user.pk): user for user in rows}


def holds(permission: str, column: str) -> Exists:
    """Whether the user whose id stands in `column` is active and has `permission`."""
    users: Any = get_user_model().objects
    holders = users.with_perm(permission, backend="django.contrib.auth.backends.ModelBackend")
    return Exists(holders.filter(pk=OuterRef(column)))


def is_hash_right(user: Any, kept: str) -> bool:
    """Whether a session began after the user's newest password (django.contrib.auth.get_user does the same)."""
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(kept, own) for own in hashes)


def admit_user(user: Any, key: str, expire_date: datetime) -> Admission | RefusedError:
    """Let in a user who may look."""
    if not user.may_look:
        name = user.get_username()
        return RefusedError(403, f"{name:.40} may not look at this dashboard: ask staff for the group Viewer")
    if is_required_of(user) and not user.has_second_factor:
        return SecondFactorMissingError()
    keys = frozenset({f"session:{key}", f"user:{user.pk}"})
    may_share = user.is_staff and user.may_share  # links are made in the admin
    viewer = Viewer(user.get_username(), f"user:{user.pk}", may_share=may_share)
    return Admission(viewer, keys, expire_date.timestamp())


def look_up_tokens(digests: Collection[str]) -> Found:
    """Whose token each digest is: one query."""
    found: Found = {
        Credential("token", digest): RefusedError(401, "this token is not known, has expired or was revoked")
        for digest in digests
    }
    if not digests:
        return found
    tokens = AccessToken.objects.filter(digest__in=digests, owner__is_active=True)
    tokens = tokens.annotate(may_look=holds(LOOK, "owner"))
    for token in tokens.select_related("owner"):
        if token.state == "active":
            found[Credential("token", token.digest)] = admit_token(token)
    return found


def admit_token(token: Any) -> Admission | RefusedError:
    """Let in a token whose owner may look."""
    if not token.may_look:
        return RefusedError(
            403, f"{token.owner.get_username():.40}, whose token this is, may not look at this dashboard"
        )
    scopes = frozenset(Scope(scope) for scope in token.scopes if scope in set(Scope))
    expires_at = token.expires_at.timestamp() if token.expires_at else None
    viewer = Viewer(f"token {token.name}", f"token:{token.pk}", scopes)
    return Admission(viewer, frozenset({viewer.key, f"user:{token.owner_id}"}), expires_at)


def look_up_links(digests: Collection[str]) -> Found:
    """What each share link shows: one query."""
    found: Found = {Credential("link", digest): RefusedError(404, LINK_ENDED) for digest in digests}
    if digests:
        for link in ShareLink.objects.filter(holds(SHARE, "made_by"), digest__in=digests):
            if link.state == "active":
                found[Credential("link", link.digest)] = admit_link(link)
    return found


def admit_link(link: Any) -> Admission:
    """Let in whoever has the address of a link; of health they are told what strangers are."""
    scopes = frozenset({Scope.STREAM, Scope.HISTORY})
    viewer = Viewer(f"Link “{link.label}”", f"link:{link.pk}", scopes, share=link.share)
    expires_at = link.expires_at.timestamp() if link.expires_at else None
    return Admission(viewer, frozenset({viewer.key, f"user:{link.made_by_id}"}), expires_at)


def note_used(token_ids: Collection[int], session_keys: Collection[str]) -> None:
    """Write that these tokens and sessions were used just now (blocking). Raises django.db.Error."""
    sessions.note_used(session_keys)
    if token_ids:
        AccessToken.objects.filter(pk__in=token_ids).update(
            last_used_at=timezone.now().replace(second=0, microsecond=0)
        )
