"""The addresses: the page and what makes it installable, the stream's HTTP views, accounts, share links, the admin."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from access.credentials import LINK
from access.people.views import admin_login
from streaming.web.admission import show_no_link
from streaming.web.exposition import exposition
from streaming.web.installable import favicon, manifest, service_worker
from streaming.web.views import dashboard

urlpatterns = [
    path("", dashboard, name="dashboard"),
    path("manifest.webmanifest", manifest, name="manifest"),
    path("service-worker.js", service_worker, name="service-worker"),
    path("favicon.ico", favicon, name="favicon"),
    path("metrics", exposition),
    path("stream/", include("streaming.web.urls")),
    re_path(rf"^share/(?P<link>{LINK})/", include("streaming.web.share_urls")),
    re_path(r"^share/", show_no_link),
    path("account/", include("access.people.urls")),
    path("admin/login/", admin_login),
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("admin/", admin.site.urls),
]
#: What allauth answers to whoever sends too many forms.
handler429 = "access.people.adapter.too_many_requests"
