"""The columns of the sources' list that show the present: what each source reads, how old it is, whether it answers."""

import time
from collections.abc import Mapping
from functools import cached_property

from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from metrics.catalogue import METRICS, Group, SourceKind, metrics_of
from metrics.choices import DEFAULT_CHOICES, Choices
from metrics.history.readable import read_snapshots
from metrics.models import DataSource, SnapshotRecord
from metrics.reading import Problem, Reading
from metrics.snapshot import Snapshot
from metrics.sources import Sources
from metrics.sources.redis import safe_address

#: Seconds that the list waits for a source.
PATIENCE_S = 0.5
BUTTON_TEXTS = {SourceKind.MOCK: "Simulated", SourceKind.REDIS: "Redis", SourceKind.HOST: "This host"}


async def read_now(choices: Choices) -> Mapping[Group, Reading]:
    """Ask each group's source once, with connections of its own."""
    sources = Sources()
    try:
        return await sources.read(choices, PATIENCE_S)
    finally:
        await sources.aclose()


def reading_of(snapshot: Snapshot, group: Group) -> Reading:
    """One group's part of a published snapshot; observed when it was published."""
    keys = [metric.key for metric in metrics_of(group)]
    return Reading(
        values={key: snapshot.values[key] for key in keys},
        problems={key: snapshot.problems[key] for key in keys if key in snapshot.problems},
        observed=snapshot.timestamp,
    )


class Columns:
    """One request's columns; all of them share one reading of all sources."""

    def __init__(self, *, may_switch: bool) -> None:
        self._may_switch = may_switch

    @cached_property
    def readings(self) -> Mapping[Group, Reading]:
        rows = DataSource.read_choices()
        readings = dict(async_to_sync(read_now)({**DEFAULT_CHOICES, **rows}))
        published = next(read_snapshots(SnapshotRecord.objects.all()[:1]), None)
        for group, choice in rows.items():  # what is simulated is what the publisher made up, not another sample
            if choice.kind is SourceKind.MOCK and published and published.sources.get(group) == choice.kind:
                readings[group] = reading_of(published, group)
        return readings

    @admin.display(description="source")
    def source(self, row: DataSource) -> SafeString:
        """The kinds as buttons, one click each; as text for those who may only look."""
        if not self._may_switch:
            return format_html("<strong>{}</strong>", row.get_kind_display())
        return format_html_join(
            " ",
            '<button type="submit" class="button" formaction="{}" formnovalidate {}>{}</button>',
            (
                (
                    reverse("admin:metrics_datasource_switch", args=(row.pk, kind)),
                    SafeString('disabled aria-current="true"') if kind == row.kind else "",
                    f"● {BUTTON_TEXTS[kind]}" if kind == row.kind else BUTTON_TEXTS[kind],
                )
                for kind in row.group_enum.kinds
            ),
        )

    @admin.display(description="reads now")
    def reads_now(self, row: DataSource) -> SafeString:
        """Every metric's value or problem."""
        reading = self.readings[row.group_enum]
        note = " (simulated)" if row.kind == SourceKind.MOCK else ""
        lines = (
            (
                METRICS[key].label,
                METRICS[key].show(value, with_unit=True, currency=settings.CURRENCY),
                f" {reading.problems[key]}" if key in reading.problems else note,
            )
            for key, value in reading.values.items()
        )
        return format_html_join(SafeString("<br>"), "{}: <strong>{}</strong>{}", lines)

    @admin.display(description="age")
    def age(self, row: DataSource) -> str:
        """How long ago the producer says it wrote, or the simulated values were made up."""
        reading = self.readings[row.group_enum]
        if reading.observed is not None:
            return f"{time.time() - reading.observed:.1f} s"
        return "no heartbeat" if row.kind == SourceKind.REDIS else "read now"

    @admin.display(description="answers")
    def answers(self, row: DataSource) -> str:
        """Whether Redis answers, and where it is (without password)."""
        if row.kind != SourceKind.REDIS:
            return "—"
        address = safe_address(settings.METRICS_REDIS_URL)
        is_down = Problem.UNREACHABLE in self.readings[row.group_enum].problems.values()
        return f"✕ no answer from {address}" if is_down else f"✓ {address} answers"
