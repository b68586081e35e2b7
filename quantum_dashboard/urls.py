"""The addresses: the page and what makes it installable, the stream's HTTP views, the admin."""

from django.contrib import admin
from django.urls import include, path

from streaming.web.installable import favicon, manifest, service_worker
from streaming.web.views import dashboard

urlpatterns = [
    path("", dashboard, name="dashboard"),
    path("manifest.webmanifest", manifest, name="manifest"),
    path("service-worker.js", service_worker, name="service-worker"),
    path("favicon.ico", favicon, name="favicon"),
    path("stream/", include("streaming.web.urls")),
    path("admin/", admin.site.urls),
]
