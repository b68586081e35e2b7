"""What makes the page a thing to install: its manifest, its icons, and the service worker that shows it offline."""

import functools
import hashlib
import json

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

#: The page's ground, as on the icon.
GROUND = "#11151c"
ICONS = (
    ("dashboard/icon.svg", "image/svg+xml", "any", "any"),
    ("dashboard/icon-192.png", "image/png", "192x192", "any"),
    ("dashboard/icon-512.png", "image/png", "512x512", "any"),
    ("dashboard/icon-maskable.png", "image/png", "512x512", "maskable"),
)
#: Folders of static files that the page is made of, and which files in them.
PAGE_FOLDERS, PAGE_SUFFIXES = ("dashboard", "offline", "vendor"), {".css", ".js", ".svg"}


@functools.cache  # the files do not change while a process runs
def page_files() -> tuple[str, ...]:
    """The addresses of all static files of the page, each with its contents' hash."""
    root = settings.BASE_DIR / "static"
    paths = sorted(path for folder in PAGE_FOLDERS for path in (root / folder).rglob("*"))
    names = (path.relative_to(root).as_posix() for path in paths if path.suffix in PAGE_SUFFIXES)
    return tuple(static(name) for name in names if name != "offline/worker.js")


@functools.cache
def worker_text() -> str:
    """The service worker, with what it keeps: another text, and so another worker, after each upgrade."""
    files = page_files()
    contents = hashlib.sha256("\n".join(files).encode()).hexdigest()[:12]
    release = {"name": f"{settings.VERSION}-{contents}", "page": reverse("dashboard"), "files": files}
    code = (settings.BASE_DIR / "static" / "offline" / "worker.js").read_text()
    return f"self.release = {json.dumps(release)};\n{code}"


@require_safe
@cache_control(no_cache=True)
async def service_worker(request: HttpRequest) -> HttpResponse:
    """The service worker. It is served at the root because it may show only what lies below its own address."""
    return HttpResponse(worker_text(), content_type="text/javascript; charset=utf-8")


@csrf_exempt
@require_safe
@cache_control(max_age=3600)
async def manifest(request: HttpRequest) -> JsonResponse:
    """The web app manifest (https://www.w3.org/TR/appmanifest/)."""
    page = reverse("dashboard")
    described = {
        "id": page,
        "name": "Quantum Trader Dashboard",
        "short_name": "Quantum Trader",
        "description": "Live portfolio, AI and system metrics of the trading system",
        "start_url": page,
        "scope": page,
        "display": "standalone",
        "background_color": GROUND,
        "theme_color": GROUND,
        "icons": [
            {"src": static(name), "type": kind, "sizes": sizes, "purpose": purpose}
            for name, kind, sizes, purpose in ICONS
        ],
    }
    return JsonResponse(described, content_type="application/manifest+json")


@require_safe
@cache_control(max_age=3600)
async def favicon(request: HttpRequest) -> HttpResponseRedirect:
    """Where browsers look that find no icon named in a page: the admin's, CSV's, a picture's."""
    return HttpResponseRedirect(static("dashboard/icon.ico"))
