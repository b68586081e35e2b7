"""Resetting a password by mail, without telling who there is.

The answer is the same and as fast for everybody: who has the address is looked up, and the mail is written and sent,
when the answer is gone already, by one thread of this process.
"""

import contextvars
import logging
from queue import Full, Queue
from smtplib import SMTPException
from threading import Lock, Thread
from typing import Any

from allauth.account.forms import ResetPasswordForm
from allauth.account.internal.flows.password_reset import request_password_reset
from django.contrib.auth import get_user_model
from django.db import Error as DatabaseError
from django.db import connections
from django.http import HttpRequest

logger = logging.getLogger(__name__)

#: How many are worked off after each other; more are dropped.
WAITING = 100


class PasswordResetForm(ResetPasswordForm):
    """allauth's, which asks nothing about the address before it answers."""

    def clean_email(self) -> str:
        """Any address will do."""
        return str(self.cleaned_data["email"])

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Have it done, later."""
        address = str(self.cleaned_data["email"])
        outbox.put(lambda: mail_who_has(address, request, kwargs.get("token_generator")))
        return address


def mail_who_has(address: str, request: HttpRequest, token_generator: Any) -> None:
    """Mail a link to whoever has this address and a password here (blocking). Raises django.db.Error, OSError."""
    users: Any = get_user_model()._default_manager.filter(email__iexact=address, is_active=True)
    if found := [user for user in users if user.has_usable_password()]:
        request_password_reset(request, address, found, token_generator)


class Outbox:
    """Does one thing after the other in a thread that keeps no process from ending."""

    def __init__(self) -> None:
        self._queue: Queue[Any] = Queue(WAITING)
        self._lock = Lock()
        self._thread: Thread | None = None

    def put(self, work: Any) -> None:
        """Have `work` done soon, in this request's context."""
        context = contextvars.copy_context()
        try:
            self._queue.put_nowait(lambda: context.run(work))
        except Full:
            logger.warning("More than %d password resets wait for the mail server: this one is dropped.", WAITING)
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="outbox", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            work = self._queue.get()
            try:
                work()
            except (OSError, SMTPException, DatabaseError) as error:
                logger.error("A mail to reset a password cannot be sent: %s", error)
            except Exception:
                logger.exception("A mail to reset a password cannot be sent.")
            finally:
                connections.close_all()


outbox = Outbox()
