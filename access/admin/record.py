"""The record in the admin: to look and search, never to change."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from access.models import RecordEntry

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[RecordEntry]
else:
    ModelAdmin = admin.ModelAdmin  # not generic at run time


@admin.register(RecordEntry)
class RecordAdmin(ModelAdmin):
    """Newest first."""

    list_display = ("time", "who", "what", "about", "address")
    list_display_links = None
    list_filter = ("what",)
    search_fields = ("who", "about", "address")
    date_hierarchy = "time"
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
