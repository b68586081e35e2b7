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
from access.models import AccessToken
from access.people import sessions
from access.people.second_factor import is_required_of, second_factors
from access.viewer import Admission, RefusedError, Scope, SecondFactorMissingError, Viewer

#: The permission that lets somebody look.
LOOK = "access.look"

Found = dict[Credential, Admission | RefusedError]

SIGN_IN_AGAIN = "sign in again"


def look_up(credentials: Collection[Credential]) -> Found:
    """Who each one is, or why they are not let in (blocking). Raises django.db.Error."""
    by_kind: dict[str, list[str]] = {"session": [], "token": []}
    for kind, secret in credentials:
        by_kind[kind].append(secret)
    return {**look_up_sessions(by_kind["session"]), **look_up_tokens(by_kind["token"])}


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
    """The active users of these ids, by their id as text; each with `may_look` and `has_second_factor`: one query."""
    if not ids:
        return {}
    users: Any = get_user_model().objects
    may_look = users.with_perm(LOOK, backend="django.contrib.auth.backends.ModelBackend").filter(pk=OuterRef("pk"))
    rows = users.filter(pk__in=ids, is_active=True).annotate(
        may_look=Exists(may_look), has_second_factor=Exists(second_factors(OuterRef("pk")))
    )
    return {str(user.pk): user for user in rows}


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
    return Admission(Viewer(user.get_username(), user_id=user.pk), keys, expire_date.timestamp())


def look_up_tokens(digests: Collection[str]) -> Found:
    """Whose token each digest is: one query."""
    found: Found = {
        Credential("token", digest): RefusedError(401, "this token is not known, has expired or was revoked")
        for digest in digests
    }
    if not digests:
        return found
    users: Any = get_user_model().objects
    owner = users.with_perm(LOOK, backend="django.contrib.auth.backends.ModelBackend").filter(pk=OuterRef("owner"))
    tokens = AccessToken.objects.filter(digest__in=digests, owner__is_active=True).annotate(may_look=Exists(owner))
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
    keys = frozenset({f"token:{token.pk}", f"user:{token.owner_id}"})
    return Admission(Viewer(f"token {token.name}", scopes, token.owner_id), keys, expires_at)


def note_used(token_ids: Collection[int], session_keys: Collection[str]) -> None:
    """Write that these tokens and sessions were used just now (blocking). Raises django.db.Error."""
    sessions.note_used(session_keys)
    if token_ids:
        AccessToken.objects.filter(pk__in=token_ids).update(
            last_used_at=timezone.now().replace(second=0, microsecond=0)
        )
