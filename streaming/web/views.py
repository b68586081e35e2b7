"""The stream's HTTP side: the page and health."""

import asyncio

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from access.mode import Mode
from access.viewer import RefusedError, Scope, Viewer
from metrics.ranges import RANGES
from streaming.health import Report, report_health
from streaming.web.admission import admits, admits_people, find_viewer
from streaming.web.first_numbers import describe_time, with_first_numbers
from streaming.web.page import PREFERENCES, describe_page, page_groups, page_modules
from streaming.web.provide import runtime_of


@require_safe
@admits_people
@cache_control(no_cache=True, private=True)  # it carries the server's clock; `no-store` would forbid going back to it
async def dashboard(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The live page, or what a share link shows of it. Its cards follow from the catalogue; no database is asked."""
    hub = runtime_of(request).hub
    age = None if hub.arrived_at is None else asyncio.get_running_loop().time() - hub.arrived_at
    base = f"{request.path}stream/"
    page = describe_page(settings.STREAM_INTERVAL, hub.recent.latest, age, base=base, share=viewer.share)
    context = {
        "groups": with_first_numbers(page_groups(viewer.share), page["latest"]),
        "first_time": describe_time(page["latest"]),
        "base": base,
        "page": page,
        "link": viewer.name if viewer.share is not None else "",
        "may_share": viewer.may_share,
        "ranges": RANGES,
        "settings": PREFERENCES,
        "version": settings.VERSION,
        "has_accounts": settings.ACCESS == Mode.LOGIN,
        "modules": page_modules(),
    }
    return render(request, "dashboard.html", context)


@csrf_exempt  # other methods change nothing here and get 405
@require_safe
@never_cache
async def health(request: HttpRequest) -> HttpResponse:
    """Health as JSON: 200 for ok and degraded, 503 for down. Who may not look is told the status and the age only."""
    report = await report_health(runtime_of(request))
    try:
        await find_viewer(request, Scope.HEALTH)
    except RefusedError:
        return tell_strangers(report)
    return JsonResponse(report, status=503 if report["status"] == "down" else 200)


def tell_strangers(report: Report) -> HttpResponse:
    """Whether the stream is well, and how old the newest snapshot is."""
    shown = {"status": report["status"], "age": report["age"]}
    return JsonResponse(shown, status=503 if report["status"] == "down" else 200)


@csrf_exempt
@require_safe
@never_cache
@admits(Scope.STREAM)
async def health_of_link(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """What strangers are told of health, below the address of a share link."""
    return tell_strangers(await report_health(runtime_of(request)))


@csrf_exempt
@require_safe
@never_cache
async def health_live(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers at all: what a supervisor restarts it by."""
    return JsonResponse({"status": "alive"})
