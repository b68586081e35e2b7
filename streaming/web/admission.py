"""Lets requests in, or says why not: who may not look gets no byte of what is shown here."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control, patch_vary_headers

from access.credentials import read_credential
from access.viewer import ANYBODY, RefusedError, Scope, SecondFactorMissingError, Viewer
from streaming.web.provide import runtime_of

View = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponseBase]]


async def find_viewer(request: HttpRequest, scope: Scope) -> Viewer:
    """Who asks, where they may read `scope`. Raises RefusedError.

    Where access is open that is anybody; nothing is looked at.
    """
    gate = runtime_of(request).gate
    if gate is None:
        return ANYBODY
    asgi: dict[str, Any] = request.scope  # type: ignore[attr-defined]  # an ASGIRequest
    viewer = (await gate.admit(read_credential(asgi["headers"], asgi["query_string"]))).viewer
    if scope not in viewer.scopes:
        raise RefusedError(403, f"{viewer.name} may not read this: it lacks the scope {scope}")
    return viewer


def admits(scope: Scope) -> Callable[[View], View]:
    """Decorate a view of data: it is called for those who may read `scope`; others get 401, 403 or 503 as JSON."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        async def admitting(request: HttpRequest) -> HttpResponseBase:
            try:
                viewer = await find_viewer(request, scope)
            except RefusedError as refusal:
                return refuse(refusal)
            return keep_private(await view(request), viewer)

        return admitting

    return decorate


def admits_people(view: View) -> View:
    """Decorate a page: who is not signed in is sent to do that, and back; others who may not look are told why."""

    @functools.wraps(view)
    async def admitting(request: HttpRequest) -> HttpResponseBase:
        try:
            viewer = await find_viewer(request, Scope.STREAM)
        except SecondFactorMissingError:
            return redirect("mfa_index")
        except RefusedError as refusal:
            if refusal.status == 401:
                return redirect_to_login(request.get_full_path())
            if refusal.status == 403:
                return await sync_to_async(show_refusal)(request, refusal)
            return refuse(refusal)
        return keep_private(await view(request), viewer)

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


def keep_private(response: HttpResponseBase, viewer: Viewer) -> HttpResponseBase:
    """Keep what only some may see out of caches that others share."""
    if viewer is not ANYBODY:
        patch_cache_control(response, private=True)
        patch_vary_headers(response, ("Cookie", "Authorization"))
    return response
