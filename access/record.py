"""The record: who logged in, failed, made or revoked what, changed what, exported what.

It is written where it happens, in the transaction of what it tells. A copy goes as a line of JSON to AUDIT_LOG, where
that is set: a file, or a pipe to wherever logs are collected.
"""

import json
import logging
import time
from functools import partial
from typing import Any

from allauth.account.signals import password_changed, password_reset
from allauth.mfa.signals import authenticator_added, authenticator_removed
from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import Error as DatabaseError
from django.db.models import Q
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.http import HttpRequest
from django.utils import timezone

from access.models import AccessToken, RecordEntry, ShareLink
from access.models.record_entry import Event
from access.people.adapter import find_address
from access.people.signals import locked_out

logger = logging.getLogger(__name__)
#: What goes to AUDIT_LOG.
lines = logging.getLogger("access.record.lines")

#: Seconds between two times that what is too old is deleted, and how much of that at once: it is done in whichever
#: transaction writes the next entry, and others want to write, too.
PRUNE_EVERY_S, PRUNED_AT_ONCE = 3600.0, 200
_next_prune = [0.0]

DONE = {ADDITION: "added", CHANGE: "changed", DELETION: "deleted"}


def note(what: Event, who: str, about: str = "", request: HttpRequest | None = None) -> None:
    """Add a line to the record (blocking). Raises django.db.Error."""
    entry = RecordEntry(
        who=who[:150], what=what, about=about[:500], address=(find_address(request) or "") if request else ""
    )
    entry.save()
    lines.info(
        json.dumps(
            {
                "time": entry.time.isoformat(timespec="milliseconds"),
                "who": entry.who,
                "what": entry.what,
                "about": entry.about,
                "address": entry.address,
            }
        )
    )
    if time.monotonic() >= _next_prune[0] and prune_some() < PRUNED_AT_ONCE:
        _next_prune[0] = time.monotonic() + PRUNE_EVERY_S


def prune_some() -> int:
    """Delete some of what is too old (blocking); how many. Raises django.db.Error."""
    old = RecordEntry.objects.filter(time__lt=timezone.now() - settings.AUDIT_RETENTION)
    keys = list(old.values_list("pk", flat=True).order_by("pk")[:PRUNED_AT_ONCE])
    if keys:
        RecordEntry.objects.filter(pk__in=keys).delete()
    return len(keys)


def note_if_possible(what: Event, who: str, about: str = "", request: HttpRequest | None = None) -> None:
    """Add a line (blocking); where the database does not take it, only log it: what happened goes on."""
    try:
        note(what, who, about, request)
    except DatabaseError as error:
        logger.error("Not in the record, for the database does not take it (%s): %s %s %s.", error, who, what, about)


def connect() -> None:
    """Write down from now on what Django tells of."""
    user_logged_in.connect(note_login, dispatch_uid="record")
    user_logged_out.connect(note_logout, dispatch_uid="record")
    user_login_failed.connect(note_failure, dispatch_uid="record")
    locked_out.connect(note_lock_out, dispatch_uid="record")
    for signal, about in (
        (password_changed, "password changed"),
        (password_reset, "password reset by mail"),
        (authenticator_added, "second factor added"),
        (authenticator_removed, "second factor removed"),
    ):
        signal.connect(partial(note_account, about=about), dispatch_uid=f"record {about}", weak=False)
    post_save.connect(note_admin, sender=LogEntry, dispatch_uid="record")
    post_delete.connect(note_deletion, sender=get_user_model(), dispatch_uid="record")
    m2m_changed.connect(note_membership, sender=get_user_model().groups.through, dispatch_uid="record")
    post_save.connect(note_token, sender=AccessToken, dispatch_uid="record")
    post_save.connect(note_link, sender=ShareLink, dispatch_uid="record")


def note_login(user: Any, request: HttpRequest | None = None, **_: Any) -> None:
    """Somebody logged in."""
    note_if_possible(Event.LOGGED_IN, user.get_username(), request=request)


def note_logout(user: Any, request: HttpRequest | None = None, **_: Any) -> None:
    """Somebody logged out."""
    if user is not None:
        note_if_possible(Event.LOGGED_OUT, user.get_username(), request=request)


def note_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Somebody could not log in. What they gave as their name is told where there is such a user, and only there.

    Else it may be anything: the password, by mistake.
    """
    given = str(credentials.get("username") or credentials.get("login") or credentials.get("email") or "")
    users: Any = get_user_model().objects
    try:
        is_known = users.filter(Q(username=given) | Q(email__iexact=given)).exists() if given else False
    except DatabaseError:
        is_known = False
    who = given if is_known else ""
    note_if_possible(Event.LOGIN_FAILED, who, "" if is_known else "no such user", request)
    logger.warning("A login failed (%s, from %s).", who or "no such user", find_address(request) if request else "here")


def note_lock_out(request: HttpRequest, name: str | None, seconds: int, **_: Any) -> None:
    """Too many failed; the name, like that of a failed login, is told only where there is such a user."""
    users: Any = get_user_model().objects
    who = name if name and users.filter(username=name).exists() else ""
    note_if_possible(Event.LOCKED_OUT, who, f"for {seconds} s", request)


def note_account(user: Any, about: str, request: HttpRequest | None = None, **_: Any) -> None:
    """Somebody changed how they log in."""
    note_if_possible(Event.CHANGED, user.get_username(), about, request)


def note_admin(instance: Any, created: bool, **_: Any) -> None:
    """Somebody changed something in the admin; Django's own log of it goes when its user goes."""
    kind = instance.content_type
    model = kind.model_class() if kind else None
    is_told_below = model is AccessToken or (model is ShareLink and instance.action_flag == ADDITION)
    if created and not is_told_below:
        about = f"{DONE.get(instance.action_flag, 'changed')} {kind or 'something'} {instance.object_repr}"
        change = instance.get_change_message()
        note(Event.CHANGED, instance.user.get_username(), f"{about}: {change}".removesuffix(": "))


def note_membership(instance: Any, action: str, reverse: bool, **_: Any) -> None:
    """A user was put into groups, or taken out. Who did it stands in what the admin notes."""
    if action in {"post_add", "post_remove", "post_clear"} and not reverse:
        groups = ", ".join(sorted(instance.groups.values_list("name", flat=True))) or "none"
        note(Event.CHANGED, "", f"user {instance.get_username()} is in the groups: {groups}")


def note_deletion(instance: Any, **_: Any) -> None:
    """A user was deleted, by whichever way."""
    note(Event.CHANGED, "", f"deleted user {instance.get_username()}")


def note_token(instance: Any, created: bool, update_fields: Any = None, **_: Any) -> None:
    """A token was made or revoked."""
    about = f"{instance}, owner {instance.owner.get_username()}, reads {', '.join(instance.scopes)}"
    if created:
        note(Event.TOKEN_MADE, instance.owner.get_username(), about)
    elif update_fields and "revoked_at" in update_fields:
        note(Event.TOKEN_REVOKED, instance.owner.get_username(), about)


def note_link(instance: Any, created: bool, update_fields: Any = None, **_: Any) -> None:
    """A share link was made or revoked. Who revoked it, or gave it another end, stands in what the admin notes."""
    shown = ", ".join(instance.groups) + (", with amounts" if instance.shows_amounts else "")
    end = f"until {instance.expires_at:%Y-%m-%d %H:%M} UTC" if instance.expires_at else "for ever"
    about = f"{instance}, shows {shown}, {end}"
    maker = instance.made_by.get_username()
    if created:
        note(Event.LINK_MADE, maker, about)
    elif update_fields and "revoked_at" in update_fields:
        note(Event.LINK_REVOKED, "", f"{about}, made by {maker}")
