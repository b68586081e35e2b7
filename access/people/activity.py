"""Notes that a session is used, by pages that Django serves to somebody who logged in."""

import logging
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse

from access.people.sessions import find_end, is_due, put_off

logger = logging.getLogger(__name__)


class SessionActivity(SessionMiddleware):
    """Django's, which also puts off a session's end. Requests that never looked at their session cost nothing more."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Save what has changed, and that the session was used."""
        response = super().process_response(request, response)
        session: Any = request.session
        if not session.accessed or session.expire_date is None or SESSION_KEY not in session:
            return response
        end = find_end(session)
        if is_due(session.expire_date, end):
            try:
                put_off({session.session_key: end})
            except DatabaseError as error:
                logger.debug("That a session was used cannot be written: %s", error)
        return response
