"""What happened about access: who came in, who was refused, who changed what."""

from typing import Any, ClassVar, NoReturn

from django.db import models
from django.utils import timezone


class Event(models.TextChoices):
    """What can happen."""

    LOGGED_IN = "logged in"
    LOGGED_OUT = "logged out"
    LOGIN_FAILED = "login failed"
    LOCKED_OUT = "locked out"
    TOKEN_MADE = "token made"  # noqa: S105 - no token
    TOKEN_REVOKED = "token revoked"  # noqa: S105
    LINK_MADE = "link made"
    LINK_REVOKED = "link revoked"
    EXPORTED = "exported"
    CHANGED = "changed"


class AppendOnly(models.QuerySet["RecordEntry"]):
    """Rows are added and, when they are too old, deleted; never changed."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refuse. Raises TypeError."""
        raise TypeError("The record is only added to.")


class RecordEntry(models.Model):
    """One line of the record. Names are kept as they were: it outlives whom and what it names. No secret is in it."""

    time = models.DateTimeField(default=timezone.now, db_index=True)
    who = models.CharField(max_length=150, blank=True, help_text="The user's name, as it was.")
    what = models.CharField(max_length=20, choices=Event.choices)
    about = models.CharField(max_length=500, blank=True)
    address = models.CharField(max_length=45, blank=True, help_text="Where it came from.")

    objects = AppendOnly.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name = "record entry"
        verbose_name_plural = "record"

    def __str__(self) -> str:
        return f"{self.time:%Y-%m-%d %H:%M:%S} {self.who} {self.what} {self.about}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add it. Raises TypeError where it is in the record already."""
        if not self._state.adding:
            raise TypeError("The record is only added to.")
        super().save(*args, **kwargs)
