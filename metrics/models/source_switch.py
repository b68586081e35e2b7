"""When a group's source was switched: history's events."""

from typing import ClassVar

from django.db import models


class SourceSwitch(models.Model):
    """Who switched which group, when, from what to what. Never changed afterwards."""

    time_ms = models.BigIntegerField("time", db_index=True, help_text="Unix milliseconds.")
    group = models.CharField(max_length=16)
    from_kind = models.CharField(max_length=16)
    to_kind = models.CharField(max_length=16)
    by = models.CharField(max_length=150, help_text="The user's name, as it was then.")

    class Meta:
        ordering: ClassVar = ["time_ms", "pk"]
        verbose_name_plural = "source switches"

    def __str__(self) -> str:
        return f"{self.group}: {self.from_kind} → {self.to_kind} by {self.by}"
