"""The admin of metrics: where staff choose the sources, history, notes. Django imports this to register them."""

from django.contrib import admin

from metrics.admin import history, notes, sources

__all__ = ["history", "notes", "sources"]

admin.site.site_header = "Quantum Trader staff"
admin.site.site_title = "Quantum Trader"
admin.site.index_title = "Staff"
# A handful of pages needs no second menu; the numbers get its room.
admin.site.enable_nav_sidebar = False
