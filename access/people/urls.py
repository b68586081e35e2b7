"""The addresses under `/account/`: allauth's, without those that let people in by themselves or manage addresses."""

from allauth.account import views
from allauth.socialaccount import views as connected_views
from django.urls import include, path, re_path

from access.people import sign_on_views

urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", views.password_change, name="account_change_password"),
    path("password/set/", views.password_set, name="account_set_password"),
    path("password/reset/", views.password_reset, name="account_reset_password"),
    path("password/reset/done/", views.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("password/reset/key/done/", views.password_reset_from_key_done, name="account_reset_password_from_key_done"),
    path("2fa/", include("allauth.mfa.urls")),
    path("sessions/", include("allauth.usersessions.urls")),
    path("connected/", connected_views.connections, name="socialaccount_connections"),
    path("connected/cancelled/", connected_views.login_cancelled, name="socialaccount_login_cancelled"),
    path("connected/error/", connected_views.login_error, name="socialaccount_login_error"),
    path("connected/new/", connected_views.signup, name="socialaccount_signup"),
    path("oidc/<str:provider_id>/login/", sign_on_views.login, name="openid_connect_login"),
    path("oidc/<str:provider_id>/login/callback/", sign_on_views.callback, name="openid_connect_callback"),
]
