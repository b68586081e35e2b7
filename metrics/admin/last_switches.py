"""The last switch of each group, which one click takes back."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from metrics.admin.ages import describe_ago
from metrics.admin.candidates import LABELS
from metrics.catalogue import SourceKind
from metrics.models import DataSource, SourceSwitch


@dataclass(frozen=True, slots=True)
class LastSwitch:
    """A switch that is still in effect."""

    row: DataSource
    switch: SourceSwitch

    @property
    def age(self) -> str:
        return describe_ago(time.time() - self.switch.time_s)

    @property
    def before(self) -> str:
        return label_of(self.switch.from_kind)

    @property
    def after(self) -> str:
        return label_of(self.switch.to_kind)


def label_of(kind: str) -> str:
    """What people call a kind; of one that this version does not know, its key."""
    return LABELS[SourceKind(kind)] if kind in set(SourceKind) else kind


def find_last_switches(rows: Iterable[DataSource]) -> list[LastSwitch]:
    """The last switch of each group whose source is still what it made it, newest first (blocking)."""
    found = []
    for row in rows:
        switch = SourceSwitch.objects.filter(group=row.group, setting=SourceSwitch.KIND).order_by("pk").last()
        if switch is not None and switch.to_kind == row.kind:
            found.append(LastSwitch(row, switch))
    return sorted(found, key=lambda each: each.switch.pk, reverse=True)
