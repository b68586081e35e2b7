"""The stream's HTTP addresses, each with and without a trailing slash."""

from django.urls import re_path

from streaming.web import events_view, history_views, views

urlpatterns = [
    re_path(r"^health/?$", views.health, name="health"),
    re_path(r"^health/live/?$", views.health_live, name="health-live"),
    re_path(r"^latest/?$", history_views.latest, name="latest"),
    re_path(r"^history/?$", history_views.history, name="history"),
    re_path(r"^events/?$", events_view.events, name="events"),
]
