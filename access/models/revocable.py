"""What lets somebody look until it is revoked or has expired."""

from django.db import models
from django.utils import timezone


class Revocable(models.Model):
    """Ends at a time, or earlier by hand; for ever."""

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True

    def revoke(self) -> None:
        """End it, now and for ever."""
        if self.revoked_at is None:
            self.revoked_at = timezone.now()
            self.save(update_fields=["revoked_at"])

    @property
    def state(self) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= timezone.now() else "active"
