"""The stream's HTTP addresses, each with and without a trailing slash."""

from django.urls import re_path

from streaming import views

urlpatterns = [
    re_path(r"^health/?$", views.health, name="health"),
    re_path(r"^health/live/?$", views.health_live, name="health-live"),
]
