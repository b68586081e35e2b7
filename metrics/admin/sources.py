"""Where staff choose the sources: a page that compares them, a preview before switching, and one click back."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Field, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from metrics.admin.candidates import LABELS, compare_sources
from metrics.admin.last_switches import find_last_switches
from metrics.admin.previews import Preview
from metrics.catalogue import SourceKind
from metrics.models import DataSource, SourceSwitch
from metrics.sources.redis import safe_address

if TYPE_CHECKING:
    from django.forms import Form

    ModelAdmin = admin.ModelAdmin[DataSource]
else:
    ModelAdmin = admin.ModelAdmin  # not generic at run time

LIST = "admin:metrics_datasource_changelist"


@admin.register(DataSource)
class DataSourceAdmin(ModelAdmin):
    """One row per group. Every switch is logged with who did it, from what, to what."""

    fields = ("group", "source", "max_age_s", "use_fallbacks")
    readonly_fields = ("group", "source")

    @admin.display(description="source")
    def source(self, row: DataSource) -> SafeString:
        """What is chosen, and where that is done."""
        return format_html('{} — <a href="{}">compare and switch</a>', row.get_kind_display(), reverse(LIST))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Groups come from the catalogue, not from staff."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DataSource | None = None) -> bool:
        """A group always has a source."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[DataSource]:
        """The groups there are."""
        return super().get_queryset(request).filter(pk__in=DataSource.known())

    def get_urls(self) -> list[URLPattern]:
        """The admin's own addresses, and those of the preview and of the way back."""

        def address(route: str, view: Any, name: str) -> URLPattern:
            pattern: URLPattern = path(route, self.admin_site.admin_view(view), name=f"metrics_datasource_{name}")
            return pattern

        return [
            address("<int:pk>/switch/<str:kind>/", self.switch_view, "switch"),
            address("all/switch/<str:kind>/", self.switch_view, "switch_all"),
            address("undo/<int:pk>/", require_POST(self.undo_view), "undo"),
            *super().get_urls(),
        ]

    def rows(self, request: HttpRequest) -> list[DataSource]:
        """The groups in the dashboard's order."""
        return sorted(self.get_queryset(request), key=lambda row: row.group_enum.page_place)

    def show(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        """A page of this admin, which is never kept: its numbers are of now."""
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, f"admin/metrics/datasource/{template}.html", context)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """All groups, each with all its sources side by side."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        rows = self.rows(request)
        kinds = [kind for kind in SourceKind if all(kind in row.group_enum.kinds for row in rows)]
        return self.show(
            request,
            "sources",
            title="Where each group of metrics comes from",
            comparisons=compare_sources(rows),
            last_switches=find_last_switches(rows),
            common_kinds=[(kind.value, LABELS[kind]) for kind in kinds],
            redis_address=safe_address(settings.METRICS_REDIS_URL),
            may_switch=self.has_change_permission(request),
        )

    def switch_view(self, request: HttpRequest, kind: str, pk: int | None = None) -> HttpResponse:
        """Show what switching one group, or all, would change; do it when that is confirmed."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        rows = self.rows(request) if pk is None else [get_object_or_404(self.get_queryset(request), pk=pk)]
        try:
            chosen = SourceKind(kind)
            for row in rows:
                row.check_kind(chosen)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
        except ValueError:
            self.message_user(request, f"There is no source {kind!r}.", messages.ERROR)
        else:
            # Of all groups those that are to change; what was asked for in any case, to be told why not.
            rows = [row for row in rows if row.kind != chosen or pk is not None or f"from_{row.group}" in request.POST]
            if request.method != "POST":
                return self.preview(request, rows, chosen)
            for row in rows:
                self.switch(request, row, chosen)
        return HttpResponseRedirect(reverse(LIST))

    def preview(self, request: HttpRequest, rows: list[DataSource], kind: SourceKind) -> HttpResponse:
        """What would change, and the button that does it."""
        names = " and ".join(str(row) for row in rows)
        return self.show(
            request,
            "switch",
            title=f"Switch {names} to {LABELS[kind]}?" if rows else f"Every group is on {LABELS[kind]} already",
            previews=[Preview(comparison, kind) for comparison in compare_sources(rows)] if rows else [],
            names=names,
            label=LABELS[kind],
        )

    def switch(self, request: HttpRequest, row: DataSource, kind: SourceKind) -> None:
        """Switch `row` to `kind`, log it and tell the person; what cannot be is told too.

        The form says what the group was on when its person looked: what somebody else did meanwhile is not undone.
        """
        before = row.get_kind_display()
        is_as_shown = request.POST.get(f"from_{row.group}", row.kind) == row.kind
        if not is_as_shown or not row.switch(kind, by=request.user.get_username()):
            self.message_user(request, f"{row}: nothing to switch, or somebody else just did.", messages.WARNING)
            return
        self.tell(request, row, f"Switched from {before} to {row.get_kind_display()}.")

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Switch back to what it was before the group's last switch."""
        switch = get_object_or_404(SourceSwitch, pk=pk)
        row = get_object_or_404(self.get_queryset(request), group=switch.group)
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        before = row.get_kind_display()
        try:
            if row.undo(switch, by=request.user.get_username()):
                self.tell(request, row, f"Switched back from {before} to {row.get_kind_display()}.")
            else:
                self.message_user(request, f"{row}: somebody switched it since; nothing undone.", messages.WARNING)
        except (ValidationError, ValueError):
            self.message_user(request, f"{row} cannot go back to {switch.from_kind!r}.", messages.ERROR)
        return HttpResponseRedirect(reverse(LIST))

    def tell(self, request: HttpRequest, row: DataSource, change: str) -> None:
        """Log a change that was made, and tell the person."""
        self.log_change(request, row, change)
        self.message_user(request, f"{row}: {change} In effect from the next snapshot on.", messages.SUCCESS)

    def formfield_for_dbfield(self, db_field: "Field[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        """A field whose page remembers what it showed: changed is what this person changed, not what others did."""
        return super().formfield_for_dbfield(db_field, request, show_hidden_initial=True, **kwargs)

    def save_model(self, request: HttpRequest, obj: DataSource, form: "Form", change: bool) -> None:
        """Write what was changed in the form and nothing else: the row's kind may have been switched meanwhile."""
        if form.changed_data:
            before = {name: form.initial[name] for name in form.changed_data}
            obj.save_settings(before, by=request.user.get_username())

    def construct_change_message(
        self, request: HttpRequest, form: "Form", formsets: Any, add: bool = False
    ) -> list[dict[str, dict[str, list[str]]]]:
        """Say from what to what, not only which field."""
        changes = [
            f"{form.fields[name].label} from {form.initial.get(name)} to {form.cleaned_data[name]}"
            for name in form.changed_data
        ]
        return [{"changed": {"fields": changes}}] if changes else []
