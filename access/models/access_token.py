"""A program's way in."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from access.credentials import digest_of, make_token
from access.viewer import Scope


class AccessToken(models.Model):
    """Lets a program read for its owner, as long as they may look themselves. Of the token only a hash is kept."""

    name = models.CharField(max_length=100, help_text="What it is for: “Grafana”, “risk desk's script”.")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens")
    scopes = models.JSONField(default=list, help_text="What it may read.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    begins_with = models.CharField(max_length=12, editable=False, help_text="How the token begins, to know it by.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="To the minute.")
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        permissions: ClassVar = [("look", "May look at the dashboard")]

    def __str__(self) -> str:
        return f"{self.name} ({self.begins_with}…)"

    def begin(self) -> str:
        """Give it a token, save it, and return the token: nobody can see it again."""
        token = make_token()
        self.digest, self.begins_with = digest_of(token), token[:10]
        self.scopes = sorted(Scope(scope) for scope in self.scopes) or sorted(Scope)
        self.save()
        return token

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
