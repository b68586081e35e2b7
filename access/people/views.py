"""The admin's login, which is everybody's."""

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render


def admin_login(request: HttpRequest) -> HttpResponseBase:
    """Lead to the login, and back; tell whoever is signed in and not staff that it takes that."""
    wanted = request.GET.get("next") or "/admin/"
    if not request.user.is_authenticated:
        return redirect_to_login(wanted)
    if admin.site.has_permission(request):
        return redirect("admin:index")
    reason = f"{request.user.get_username()} is not staff: other staff can change that, in the admin."
    return render(request, "access/refused.html", {"reason": reason}, status=403)
