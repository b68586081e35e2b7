"""History in the admin: to look, search and export, never to change. Made to stay fast among a million rows."""

from collections import Counter
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.functional import cached_property

from metrics.catalogue import METRICS, Group, SourceKind
from metrics.history.export import export_records
from metrics.history.export_gate import TooManyExportsError
from metrics.history.readable import read_snapshots
from metrics.history.response import answer_with, format_for_files
from metrics.models import SnapshotRecord, SourceSwitch
from metrics.ranges import RANGES
from metrics.reading import Problem
from metrics.snapshot import format_time, to_ms

if TYPE_CHECKING:
    SnapshotAdmin = admin.ModelAdmin[SnapshotRecord]
    SwitchAdmin = admin.ModelAdmin[SourceSwitch]
    SnapshotPaginator = Paginator[SnapshotRecord]
else:
    SnapshotAdmin = SwitchAdmin = admin.ModelAdmin  # not generic at run time
    SnapshotPaginator = Paginator

#: More problems than these in one snapshot are counted, not named.
MOST_NAMED_PROBLEMS = 1
SOURCE_FIELDS = [group.source_column for group in Group]


class ReadOnly:
    """Nobody adds, changes or deletes what has happened."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CappedPaginator(SnapshotPaginator):
    """Counts up to 10,000 rows: counting a million at each page would take longer than showing it."""

    CAP = 10_000

    @cached_property
    def count(self) -> int:
        rows: QuerySet[SnapshotRecord] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: self.CAP].count()


class TimeRange(admin.SimpleListFilter):
    """Only the newest snapshots."""

    title = "time"
    parameter_name = "range"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(span.key, f"last {span.label}") for span in RANGES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter by the time; an id is never lower than its time in ms, which says where the key's index may end."""
        lengths_s = {span.key: span.seconds for span in RANGES}
        if (chosen := self.value()) in lengths_s:
            since_ms = to_ms(timezone.now().timestamp() - lengths_s[chosen])
            return queryset.filter(id__gte=since_ms, time_ms__gte=since_ms)
        return queryset


class ProblemFilter(admin.SimpleListFilter):
    """Only snapshots with a problem, any or one kind; uses the index of snapshots with problems."""

    title = "problem"
    parameter_name = "problem"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("any", "any problem"), *((problem.value, problem.value) for problem in Problem)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter within the index."""
        chosen = self.value()
        if chosen is None:
            return queryset
        found = queryset.filter(problem_count__gt=0)
        return found if chosen == "any" else found.filter(problems__contains=f'"{chosen}"')


def parse_day(word: str) -> float | None:
    """The start of a day written as 2026-11-24, in Unix seconds UTC; None for any other word."""
    try:
        return datetime.combine(date.fromisoformat(word), time.min, UTC).timestamp()
    except ValueError:
        return None


def source_filter(field: str) -> type[admin.SimpleListFilter]:
    """A filter by the source of one group, which offers the kinds there are without asking the table for them."""

    class SourceFilter(admin.SimpleListFilter):
        title = field.replace("_", " of ")
        parameter_name = field

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(kind.value, kind.value) for kind in SourceKind]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{field: self.value()}) if self.value() else queryset

    return SourceFilter


def value_column(key: str) -> Any:
    """A list column with a metric's value as people read it."""
    metric = METRICS[key]

    @admin.display(description=metric.label, ordering=None)
    def column(record: SnapshotRecord) -> str:
        return metric.show(getattr(record, key))

    return column


@admin.register(SnapshotRecord)
class SnapshotRecordAdmin(ReadOnly, SnapshotAdmin):
    """Every published snapshot, newest first."""

    list_display = ("time", "sources", "problems_text", *map(value_column, METRICS))
    list_filter = (TimeRange, ProblemFilter, *map(source_filter, SOURCE_FIELDS))
    search_fields = ("problems",)
    search_help_text = (
        "A day (2026-11-24, in UTC), a problem (stale), a metric with one (ram), a source (redis), or some."
    )
    actions = ("export_csv",)
    list_per_page = 50
    list_max_show_all = 1000
    show_full_result_count = False
    paginator = CappedPaginator
    sortable_by: ClassVar[tuple[str, ...]] = ()

    @admin.display(description="time (UTC)")
    def time(self, record: SnapshotRecord) -> str:
        return record.shown_time

    @admin.display(description=" / ".join(group.label for group in Group))
    def sources(self, record: SnapshotRecord) -> str:
        """Each group's source, in the order of the column's title."""
        return " / ".join(getattr(record, group.source_column) or "—" for group in Group)

    @admin.display(description="problems")
    def problems_text(self, record: SnapshotRecord) -> str:
        """Which metric has which problem; of many, how many have which. A row stays one line high."""
        for snapshot in read_snapshots([record]):
            if len(snapshot.problems) <= MOST_NAMED_PROBLEMS:
                return ", ".join(f"{key} {problem}" for key, problem in snapshot.problems.items()) or "none"
            counts = Counter(snapshot.problems.values())
            return ", ".join(f"{count} {problem}" for problem, count in counts.items())
        return "cannot be read"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SnapshotRecord], search_term: str
    ) -> tuple[QuerySet[SnapshotRecord], bool]:
        """Every word is a day, a source's kind, or part of a problem (only snapshots with problems are searched)."""
        for word in search_term.lower().split():
            if (day := parse_day(word)) is not None:
                queryset = queryset.filter(time_ms__gte=to_ms(day), time_ms__lt=to_ms(day + 86_400))
            elif word in set(SourceKind):
                queryset = queryset.filter(Q.create([(field, word) for field in SOURCE_FIELDS], connector=Q.OR))
            else:
                queryset = queryset.filter(problem_count__gt=0, problems__contains=word)
        return queryset, False

    @admin.action(description="Export selected snapshots as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[SnapshotRecord]) -> HttpResponseBase | None:
        """The selection, all pages of it if so chosen, oldest first."""
        try:
            response = answer_with(export_records(queryset), "text/csv; charset=utf-8")
        except TooManyExportsError as error:
            self.message_user(request, str(error), messages.ERROR)
            return None
        name = f"snapshots-{format_for_files(timezone.now().timestamp())}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


@admin.register(SourceSwitch)
class SourceSwitchAdmin(ReadOnly, SwitchAdmin):
    """Who changed which source, or how it is read, when."""

    list_display = ("time", "group", "setting", "change", "by")
    list_filter = ("group", "setting")
    ordering = ("-time_ms",)

    @admin.display(description="time (UTC)")
    def time(self, switch: SourceSwitch) -> str:
        return format_time(switch.time_s)

    @admin.display(description="from → to")
    def change(self, switch: SourceSwitch) -> str:
        return switch.describe_change("→")
