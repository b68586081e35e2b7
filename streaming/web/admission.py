"""Lets requests in, or says why not: who may not look gets no byte of what is shown here."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.views.decorators.http import require_safe

from access.credentials import read_credential, read_link
from access.viewer import ANYBODY, RefusedError, Scope, SecondFactorMissingError, Viewer
from streaming.web.provide import runtime_of

View = Callable[[HttpRequest, Viewer], Coroutine[Any, Any, HttpResponseBase]]
AdmittingView = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


async def find_viewer(request: HttpRequest, scope: Scope, link: str | None = None) -> Viewer:
    """Who asks, where they may read `scope`; `link`: the secret in the address of a share link. Raises RefusedError.

    Where access is open that is anybody; nothing is looked at.
    """
    runtime = runtime_of(request)
    asgi: dict[str, Any] = request.scope  # type: ignore[attr-defined]  # an ASGIRequest
    if link is not None:
        viewer = (await runtime.link_gate.admit(read_link(link, asgi["query_string"]))).viewer
    elif runtime.gate is None:
        return ANYBODY
    else:
        viewer = (await runtime.gate.admit(read_credential(asgi["headers"], asgi["query_string"]))).viewer
    if scope not in viewer.scopes:
        raise RefusedError(403, f"{viewer.name} may not read this: it lacks the scope {scope}")
    return viewer


def admits(scope: Scope) -> Callable[[View], AdmittingView]:
    """Decorate a view of data: it is called with who may read `scope`; others get 401, 403, 404 or 503 as JSON.

    The decorated view takes the secret of a share link's address, too.
    """

    def decorate(view: View) -> AdmittingView:
        @functools.wraps(view)
        async def admitting(request: HttpRequest, link: str | None = None) -> HttpResponseBase:
            try:
                viewer = await find_viewer(request, scope, link)
            except RefusedError as refusal:
                return keep_secret(refuse(refusal), link)
            return keep_secret(keep_private(await view(request, viewer), viewer), link)

        return admitting

    return decorate


def admits_people(view: View) -> AdmittingView:
    """Decorate a page: who is not signed in is sent to do that, and back; others who may not look are told why.

    Whoever comes with a share link that does not work is told what to do.
    """

    @functools.wraps(view)
    async def admitting(request: HttpRequest, link: str | None = None) -> HttpResponseBase:
        try:
            viewer = await find_viewer(request, Scope.STREAM, link)
        except SecondFactorMissingError:
            return redirect("mfa_index")
        except RefusedError as refusal:
            if refusal.status == 404:
                return await show_no_link(request)
            if refusal.status == 401:
                return redirect_to_login(request.get_full_path())
            if refusal.status == 403:
                return await sync_to_async(show_refusal)(request, refusal)
            return keep_secret(refuse(refusal), link)
        return keep_secret(keep_private(await view(request, viewer), viewer), link)

    return admitting


def show_refusal(request: HttpRequest, refusal: RefusedError) -> HttpResponseBase:
    """The page that says why, to somebody who is signed in (blocking: it shows who they are)."""
    response = render(request, "access/refused.html", {"reason": in_a_sentence(refusal)}, status=403)
    response["Cache-Control"] = "no-store"
    return response


def in_a_sentence(refusal: RefusedError) -> str:
    """Why, for people."""
    return f"{str(refusal)[:1].upper()}{str(refusal)[1:]}."


def refuse(refusal: RefusedError) -> HttpResponseBase:
    """The answer that says why."""
    response = JsonResponse({"error": in_a_sentence(refusal)}, status=refusal.status)
    response["Cache-Control"] = "no-store"
    if refusal.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="Quantum Trader Dashboard"'
    return response


@require_safe
async def show_no_link(request: HttpRequest, **_: str) -> HttpResponseBase:
    """The page for a share link that was revoked, has expired or never was: nobody is told which."""
    response = render(request, "dashboard/no_link.html", status=404)
    response["Cache-Control"] = "no-store"
    return keep_secret(response, "")


def keep_secret(response: HttpResponseBase, link: str | None) -> HttpResponseBase:
    """Keep the address of a share link from other sites and out of search engines; None: it was none."""
    if link is not None:
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex"
    return response


def keep_private(response: HttpResponseBase, viewer: Viewer) -> HttpResponseBase:
    """Keep what only some may see out of caches that others share."""
    if viewer is not ANYBODY:
        patch_cache_control(response, private=True)
        patch_vary_headers(response, ("Cookie", "Authorization"))
    return response
