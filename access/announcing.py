"""Announces what changed about who may look, to every process, so that each looks again at whom it let in.

An announcement only says what to look at again; what is true then, the database says. So one too many does no harm, and
one that is lost is made up for within a minute.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

logger = logging.getLogger(__name__)

#: The channel-layer group of the processes that let somebody in.
GROUP = "access"
#: Seconds that whoever changed something may be held up by the channel layer.
PATIENCE_S = 2.0


def announce(keys: Iterable[str] | None) -> None:
    """Have every process look again at these keys (None: at all), once the change is committed (blocking)."""
    message = {"type": "access.changed", "keys": None if keys is None else sorted(keys)}
    transaction.on_commit(lambda: send(message))


def send(message: dict[str, Any]) -> None:
    """Send `message` to all processes; where the layer does not take it they find out within a minute."""

    async def send_within() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await get_channel_layer().group_send(GROUP, message)

    try:
        async_to_sync(send_within)()
    except Exception as error:  # each layer has its own
        logger.warning("A change of who may look reaches other processes only within a minute: %s", error)


def connect() -> None:
    """Announce from now on what changes users, groups, sessions, second factors, tokens and links."""
    from allauth.mfa.models import Authenticator

    from access.models import AccessToken, ShareLink

    users: Any = get_user_model()
    post_save.connect(note_user, sender=users, dispatch_uid="access")
    post_delete.connect(note_user, sender=users, dispatch_uid="access")
    for through in (users.groups.through, users.user_permissions.through):
        m2m_changed.connect(note_membership, sender=through, dispatch_uid="access")
    m2m_changed.connect(note_all, sender=Group.permissions.through, dispatch_uid="access")
    post_delete.connect(note_all, sender=Group, dispatch_uid="access")
    post_delete.connect(note_session, sender=Session, dispatch_uid="access")
    post_delete.connect(note_second_factor, sender=Authenticator, dispatch_uid="access")
    post_save.connect(note_token, sender=AccessToken, dispatch_uid="access")
    post_delete.connect(note_token, sender=AccessToken, dispatch_uid="access")
    post_save.connect(note_link, sender=ShareLink, dispatch_uid="access")
    post_delete.connect(note_link, sender=ShareLink, dispatch_uid="access")


def note_user(instance: Any, update_fields: Iterable[str] | None = None, **_: Any) -> None:
    """A user was changed or deleted; that they logged in changes nothing."""
    if update_fields is None or set(update_fields) != {"last_login"}:
        announce([f"user:{instance.pk}"])


def note_membership(instance: Any, action: str, reverse: bool, pk_set: set[int] | None, **_: Any) -> None:
    """A user's groups or permissions were changed, from either side."""
    if not action.startswith("post_"):
        return
    if not reverse:
        announce([f"user:{instance.pk}"])
    else:
        announce(None if pk_set is None else [f"user:{pk}" for pk in pk_set])


def note_all(action: str = "post_delete", **_: Any) -> None:
    """A group was deleted, or its permissions were changed."""
    if action.startswith("post_"):
        announce(None)


def note_session(instance: Any, **_: Any) -> None:
    """A session ended."""
    announce([f"session:{instance.session_key}"])


def note_second_factor(instance: Any, **_: Any) -> None:
    """A second factor was taken away."""
    announce([f"user:{instance.user_id}"])


def note_token(instance: Any, created: bool = False, update_fields: Iterable[str] | None = None, **_: Any) -> None:
    """A token was changed or deleted."""
    if not created and (update_fields is None or set(update_fields) != {"last_used_at"}):
        announce([f"token:{instance.pk}"])


def note_link(instance: Any, created: bool = False, **_: Any) -> None:
    """A share link was changed or deleted."""
    if not created:
        announce([f"link:{instance.pk}"])
