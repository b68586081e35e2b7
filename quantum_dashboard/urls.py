"""The addresses: the page, the stream's HTTP views, people's accounts, the admin."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from access.people.views import admin_login
from streaming.web.views import dashboard

urlpatterns = [
    path("", dashboard, name="dashboard"),
    path("stream/", include("streaming.web.urls")),
    path("account/", include("access.people.urls")),
    path("admin/login/", admin_login),
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("admin/", admin.site.urls),
]
#: What allauth answers to whoever sends too many forms.
handler429 = "access.people.adapter.too_many_requests"
