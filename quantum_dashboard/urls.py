"""The addresses: the page, the stream's HTTP views, the admin."""

from django.contrib import admin
from django.urls import include, path

from streaming.web.views import dashboard

urlpatterns = [
    path("", dashboard, name="dashboard"),
    path("stream/", include("streaming.web.urls")),
    path("admin/", admin.site.urls),
]
