"""Sessions that end when nobody uses them for SESSION_IDLE, and SESSION_LIFETIME after the login at the latest.

Both are in one place, the row's `expire_date`, which Django, the gate and `clearsessions` go by. It is put off while a
session is used, at most once in WRITE_EVERY: an open stream counts, too (`access.gate`).
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

#: When its login was (Unix seconds), in a session's data.
BEGAN = "began"
WRITE_EVERY = timedelta(minutes=1)
#: How many of those that have ended are deleted in one step.
PURGED_AT_ONCE = 200


class SessionStore(db.SessionStore):
    """Django's, in the database, with both limits."""

    #: As the row says it that was read; None: none was.
    expire_date: datetime | None = None

    def create_model_instance(self, data: Mapping[str, Any]) -> Any:
        """The row to save."""
        session: Any = super().create_model_instance(dict(data))
        session.expire_date = find_end(data)
        return session

    async def acreate_model_instance(self, data: Mapping[str, Any]) -> Any:
        """The row to save."""
        session: Any = await super().acreate_model_instance(dict(data))
        session.expire_date = find_end(data)
        return session

    def _get_session_from_db(self) -> Any:
        session: Any = super()._get_session_from_db()  # type: ignore[misc]
        self.expire_date = session.expire_date if session is not None else None
        return session


def find_end(data: Mapping[str, Any]) -> datetime:
    """When a session with this data ends, if it is used now and not again."""
    now = timezone.now()
    end = now + settings.SESSION_IDLE
    if BEGAN not in data:
        return end
    return min(end, datetime.fromtimestamp(data[BEGAN], UTC) + settings.SESSION_LIFETIME)


def note_login(request: Any, **_: Any) -> None:
    """Somebody has logged in: their session's time begins."""
    request.session[BEGAN] = int(timezone.now().timestamp())


def is_due(written: datetime, end: datetime) -> bool:
    """Whether a session's end is so much later than the row says that it is to be written."""
    return end - written >= WRITE_EVERY


def put_off(ends: Mapping[str, datetime]) -> None:
    """Write when sessions end, by their keys, and that they were used just now (blocking). Raises django.db.Error."""
    for key, end in ends.items():
        Session.objects.filter(session_key=key).update(expire_date=end)
    if ends:
        UserSession.objects.filter(session_key__in=ends).update(last_seen_at=timezone.now())


def purge_some() -> int:
    """Delete some sessions that have ended, and what is shown of them (blocking); how many. Raises django.db.Error.

    Not all at once: there may be very many, which strangers have begun, and others want to write, too.
    """
    ended = Session.objects.filter(expire_date__lt=timezone.now())
    keys = list(ended.values_list("session_key", flat=True)[:PURGED_AT_ONCE])
    if keys:
        UserSession.objects.filter(session_key__in=keys).delete()
        # Past the signals: nobody need be told that what has ended long ago does not let them in.
        Session.objects.filter(session_key__in=keys)._raw_delete(ended.db)
    return len(keys)


def note_used(keys: Collection[str]) -> None:
    """These sessions are in use (blocking). Raises django.db.Error."""
    if not keys:
        return
    ends = {}
    for session in Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now()):
        end = find_end(session.get_decoded())
        if is_due(session.expire_date, end):
            ends[session.session_key] = end
    put_off(ends)
