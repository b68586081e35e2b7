"""Below the address of a share link: the page, and all that it needs, so that no cookie and no other address is."""

from django.urls import re_path

from streaming.web import history_views, views

urlpatterns = [
    re_path(r"^$", views.dashboard, name="share"),
    re_path(r"^stream/health/?$", views.health_of_link, name="health"),
    re_path(r"^stream/latest/?$", history_views.latest, name="latest"),
    re_path(r"^stream/history/?$", history_views.history, name="history"),
]
