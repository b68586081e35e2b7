"""Where staff choose the sources: the list switches with one click and shows what each source reads right now."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Field, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from metrics.admin.columns import Columns
from metrics.catalogue import SourceKind
from metrics.models import DataSource

if TYPE_CHECKING:
    from django.forms import Form

    ModelAdmin = admin.ModelAdmin[DataSource]
else:
    ModelAdmin = admin.ModelAdmin  # not generic at run time


@admin.register(DataSource)
class DataSourceAdmin(ModelAdmin):
    """One row per group. Every switch is logged with who did it, from what, to what."""

    fields = ("group", "kind", "max_age_s", "use_fallbacks")
    readonly_fields = ("group", "kind")
    actions = ("switch_to_mock", "switch_to_redis")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Groups come from the catalogue, not from staff."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DataSource | None = None) -> bool:
        """A group always has a source."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[DataSource]:
        """The groups there are."""
        return super().get_queryset(request).filter(pk__in=DataSource.known())

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list of groups."""
        return super().changelist_view(
            request, {"title": "Where each group of metrics comes from", **(extra_context or {})}
        )

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        """Columns that share one live reading of all sources per request."""
        if not hasattr(request, "data_source_columns"):
            request.data_source_columns = Columns(may_switch=self.has_change_permission(request))  # type: ignore[attr-defined]
        columns: Columns = request.data_source_columns  # type: ignore[attr-defined]
        return ("group", columns.source, columns.reads_now, columns.age, columns.answers, "max_age_s", "use_fallbacks")

    def get_urls(self) -> list[URLPattern]:
        """The admin's own addresses and the one that the list's buttons post to."""
        view = self.admin_site.admin_view(require_POST(self.switch_view))
        return [path("<int:pk>/switch/<str:kind>/", view, name="metrics_datasource_switch"), *super().get_urls()]

    def switch_view(self, request: HttpRequest, pk: int, kind: str) -> HttpResponse:
        """Switch one row and go back to the list."""
        row = get_object_or_404(DataSource, pk=pk)
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        self.switch(request, row, kind)
        return HttpResponseRedirect(reverse("admin:metrics_datasource_changelist"))

    def switch(self, request: HttpRequest, row: DataSource, kind: str) -> None:
        """Switch `row` to `kind`, log it and tell the person; what cannot be is told too."""
        before = row.get_kind_display()
        try:
            switched = row.switch(SourceKind(kind), by=request.user.get_username())
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
            return
        except ValueError:
            self.message_user(request, f"There is no source {kind!r}.", messages.ERROR)
            return
        if not switched:
            self.message_user(request, f"{row}: nothing to switch, or somebody else just did.", messages.WARNING)
            return
        change = f"Switched from {before} to {row.get_kind_display()}."
        self.log_change(request, row, change)
        self.message_user(request, f"{row}: {change} In effect from the next snapshot on.", messages.SUCCESS)

    @admin.action(description="Switch selected groups to simulated values (mock)", permissions=["change"])
    def switch_to_mock(self, request: HttpRequest, queryset: QuerySet[DataSource]) -> None:
        """The bulk action for mock; each row is logged."""
        for row in queryset:
            self.switch(request, row, SourceKind.MOCK)

    @admin.action(description="Switch selected groups to Redis", permissions=["change"])
    def switch_to_redis(self, request: HttpRequest, queryset: QuerySet[DataSource]) -> None:
        """The bulk action for Redis; each row is logged."""
        for row in queryset:
            self.switch(request, row, SourceKind.REDIS)

    def formfield_for_dbfield(self, db_field: "Field[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        """A field whose page remembers what it showed: changed is what this person changed, not what others did."""
        return super().formfield_for_dbfield(db_field, request, show_hidden_initial=True, **kwargs)

    def save_model(self, request: HttpRequest, obj: DataSource, form: "Form", change: bool) -> None:
        """Write what was changed in the form and nothing else: the row's kind may have been switched meanwhile."""
        if form.changed_data:
            obj.save(update_fields=form.changed_data)

    def construct_change_message(
        self, request: HttpRequest, form: "Form", formsets: Any, add: bool = False
    ) -> list[dict[str, dict[str, list[str]]]]:
        """Say from what to what, not only which field."""
        changes = [
            f"{form.fields[name].label} from {form.initial.get(name)} to {form.cleaned_data[name]}"
            for name in form.changed_data
        ]
        return [{"changed": {"fields": changes}}] if changes else []
