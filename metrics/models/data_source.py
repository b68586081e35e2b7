"""Staff's choice of a source for each group."""

import time
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction

from metrics.catalogue import Group, SourceKind
from metrics.choices import Choices, SourceChoice
from metrics.models.source_switch import SourceSwitch, write_setting
from metrics.plain_sql import fetch_all

GROUPS_BY_KEY = {group.value: group for group in Group}


def kind_constraints() -> list[models.BaseConstraint]:
    """For each kind that can answer for some groups only: a rule that the database holds, that no other has it."""
    groups_of = {kind: [group.value for group in Group if kind in group.kinds] for kind in SourceKind}
    return [
        models.CheckConstraint(
            condition=~models.Q(kind=kind.value) | models.Q(group__in=groups), name=f"groups_read_from_{kind}"
        )
        for kind, groups in groups_of.items()
        if len(groups) < len(Group)
    ]


class DataSource(models.Model):
    """Where one group's values come from. One row per group, created after each migrate; staff change it in the admin.

    Rows of groups that this version does not know (a newer one wrote them, beside it or before it) are left alone.
    """

    GROUPS: ClassVar = [(group.value, group.label) for group in Group]
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
        constraints: ClassVar = kind_constraints()

    def __str__(self) -> str:
        return self.get_group_display()

    def clean(self) -> None:
        """Refuse a kind that cannot answer for this group."""
        if self.kind:
            self.check_kind(SourceKind(self.kind))

    def check_kind(self, kind: SourceKind) -> None:
        """Raise ValidationError where `kind` cannot answer for this group."""
        if kind not in self.group_enum.kinds:
            raise ValidationError({"kind": f"{self} cannot be read from {dict(self.KIND_LABELS)[kind].lower()}."})

    @classmethod
    def known(cls) -> "models.QuerySet[DataSource]":
        """The rows of the groups there are."""
        return cls.objects.filter(group__in=[group.value for group in Group])

    @classmethod
    def read_choices(cls) -> Choices:
        """What staff chose, group by group; a group without a row is not in it (blocking). Raises django.db.Error."""
        return make_choices(*fetch_all(SELECT_CHOICES))

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
        self.check_kind(kind)
        before = self.kind
        self.kind = kind.value
        if before == kind:
            return False
        with transaction.atomic():
            if not DataSource.objects.filter(pk=self.pk, kind=before).update(kind=kind.value):
                return False
            self._record(SourceSwitch.KIND, before, kind.value, by)
        return True

    def save_settings(self, before: Mapping[str, object], *, by: str) -> None:
        """Write those settings of this row that `before` names, and keep each as an event; `before` is what they were.

        Nothing else of the row is written: somebody may have switched its kind meanwhile.
        """
        with transaction.atomic():
            self.save(update_fields=list(before))
            for setting, was in before.items():
                self._record(setting, write_setting(was), write_setting(getattr(self, setting)), by)

    def _record(self, setting: str, before: str, after: str, by: str) -> None:
        SourceSwitch.objects.create(
            time_ms=round(time.time() * 1000),
            group=self.group,
            setting=setting,
            from_kind=before,
            to_kind=after,
            by=by,
        )

    def undo(self, switch: SourceSwitch, *, by: str) -> bool:
        """Switch back to what it was before `switch`, if that is still the last one of this group.

        True where this call changed it. Raises ValidationError as `switch`, ValueError where this version does not know
        what it was.
        """
        last = SourceSwitch.objects.filter(group=self.group, setting=SourceSwitch.KIND).order_by("pk").last()
        if last != switch or self.kind != switch.to_kind:
            return False
        return self.switch(SourceKind(switch.from_kind), by=by)


SELECT_CHOICES = f'SELECT "group", kind, max_age_s, use_fallbacks FROM "{DataSource._meta.db_table}"'  # noqa: S608


@lru_cache(maxsize=2)
def make_choices(*rows: tuple[str, str, float, bool]) -> Choices:
    """What these rows of SELECT_CHOICES say. At each tick they are nearly always what they were at the one before."""
    choices = {
        group: SourceChoice(group, SourceKind(kind), max_age_s, bool(use_fallbacks))
        for key, kind, max_age_s, use_fallbacks in rows
        if (group := GROUPS_BY_KEY.get(key)) is not None
    }
    return MappingProxyType(choices)
