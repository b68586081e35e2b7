"""When a group's source, or how it is read, was changed: history's events."""

from typing import ClassVar

from django.db import models


class SourceSwitch(models.Model):
    """Who changed what of which group, when, from what to what. Never changed afterwards."""

    KIND = "kind"
    SETTINGS: ClassVar = [(KIND, "source"), ("max_age_s", "maximum age"), ("use_fallbacks", "fallbacks")]

    time_ms = models.BigIntegerField("time", db_index=True, help_text="Unix milliseconds.")
    group = models.CharField(max_length=16)
    # With a default in the database: a process of the version before, still running, writes rows without it.
    setting = models.CharField("what", max_length=16, choices=SETTINGS, default=KIND, db_default=KIND)
    from_kind = models.CharField("from", max_length=16, help_text="A kind of source, or what the setting was.")
    to_kind = models.CharField("to", max_length=16, help_text="A kind of source, or what the setting is since.")
    by = models.CharField(max_length=150, help_text="The user's name, as it was then.")

    class Meta:
        ordering: ClassVar = ["time_ms", "pk"]
        verbose_name_plural = "source switches"

    def __str__(self) -> str:
        return f"{self.group}: {self.describe('→')} by {self.by}"

    @property
    def time_s(self) -> float:
        """Unix seconds."""
        return self.time_ms / 1000

    def describe(self, arrow: str) -> str:
        """What, and from what to what: `mock → redis`, `maximum age 30 s → 45 s`, `fallbacks off → on`."""
        change = self.describe_change(arrow)
        return change if self.setting == self.KIND else f"{self.get_setting_display()} {change}"

    def describe_change(self, arrow: str) -> str:
        """From what to what: `mock → redis`, `30 s → 45 s`, `off → on`."""
        unit = " s" if self.setting == "max_age_s" else ""
        return f"{self.from_kind}{unit} {arrow} {self.to_kind}{unit}"


def write_setting(value: object) -> str:
    """A setting's value as it is kept: `on`, `off`, or a number without needless digits."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
