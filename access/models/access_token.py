"""A program's way in."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from access.credentials import digest_of, make_token
from access.models.revocable import Revocable
from access.viewer import Scope


class AccessToken(Revocable):
    """Lets a program read for its owner, as long as they may look themselves. Of the token only a hash is kept."""

    name = models.CharField(max_length=100, help_text="What it is for: “Grafana”, “risk desk's script”.")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens")
    scopes = models.JSONField(default=list, help_text="What it may read.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    begins_with = models.CharField(max_length=12, editable=False, help_text="How the token begins, to know it by.")
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="To the minute.")

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
