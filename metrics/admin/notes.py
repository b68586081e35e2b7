"""Where staff write down what no number says: a marker in the charts."""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from metrics.models import Note

if TYPE_CHECKING:
    NoteModelAdmin = admin.ModelAdmin[Note]
else:
    NoteModelAdmin = admin.ModelAdmin  # not generic at run time


@admin.register(Note)
class NoteAdmin(NoteModelAdmin):
    """A note is its writer's: the name is kept with it, whoever corrects the text later."""

    list_display = ("text", "time", "by")
    search_fields = ("text", "by")
    date_hierarchy = "time"
    fields = ("text", "time")
    # One field that browsers know, instead of two and a script.
    formfield_overrides: ClassVar = {
        models.DateTimeField: {
            "form_class": forms.DateTimeField,
            "widget": forms.DateTimeInput({"type": "datetime-local", "step": "1"}, "%Y-%m-%dT%H:%M:%S"),
        }
    }

    def save_model(self, request: HttpRequest, obj: Note, form: Any, change: bool) -> None:
        """Write it, with who wrote it first."""
        if not change:
            obj.by = request.user.get_username()
        super().save_model(request, obj, form, change)
