"""Staff's choice of a source for each group."""

import time
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction

from metrics.catalogue import Group
from metrics.choices import KINDS, SourceChoice, SourceKind
from metrics.models.source_switch import SourceSwitch


class DataSource(models.Model):
    """Where one group's values come from. One row per group, created by migration; staff change it in the admin."""

    GROUPS: ClassVar = [(Group.SYSTEM.value, "System"), (Group.AI.value, "AI"), (Group.PORTFOLIO.value, "Portfolio")]
    KIND_LABELS: ClassVar = [
        (SourceKind.MOCK.value, "Simulated (mock)"),
        (SourceKind.REDIS.value, "Redis"),
        (SourceKind.HOST.value, "This host"),
    ]

    group = models.CharField(max_length=16, choices=GROUPS, unique=True, editable=False)
    kind = models.CharField(max_length=16, choices=KIND_LABELS)
    max_age_s = models.FloatField(
        "maximum age",
        default=30.0,
        validators=[MinValueValidator(0.1), MaxValueValidator(7 * 24 * 3600)],
        help_text="Seconds. Redis values whose producer's heartbeat (for example ai:updated_at) is older are stale.",
    )
    use_fallbacks = models.BooleanField(
        "use fallbacks",
        default=False,
        help_text="Show the catalogue's fallback values instead of — where a value is missing. They stay marked.",
    )

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~models.Q(kind=SourceKind.HOST.value) | models.Q(group=Group.SYSTEM.value),
                name="only_system_is_read_from_the_host",
            )
        ]

    def __str__(self) -> str:
        return self.get_group_display()

    def clean(self) -> None:
        """Refuse a kind that cannot answer for this group."""
        if self.kind and SourceKind(self.kind) not in KINDS[self.group_enum]:
            raise ValidationError({"kind": f"{self} cannot be read from {self.get_kind_display().lower()}."})

    @property
    def group_enum(self) -> Group:
        return Group(self.group)

    @property
    def choice(self) -> SourceChoice:
        """This row as the publisher uses it."""
        return SourceChoice(self.group_enum, SourceKind(self.kind), self.max_age_s, self.use_fallbacks)

    def switch(self, kind: SourceKind, *, by: str) -> bool:
        """Change the kind in the database if it is still what this row has, and keep who did it as an event.

        A compare-and-set: of two people switching at once, one does it and is logged, the other is told. True where
        this call changed it. Raises ValidationError where `kind` cannot answer for this group.
        """
        before = self.kind
        self.kind = kind.value
        self.clean()
        if before == kind:
            return False
        with transaction.atomic():
            if not DataSource.objects.filter(pk=self.pk, kind=before).update(kind=kind.value):
                return False
            SourceSwitch.objects.create(
                time_ms=round(time.time() * 1000), group=self.group, from_kind=before, to_kind=kind.value, by=by
            )
        return True
