"""Hands the process's runtime to the views."""

from collections.abc import Coroutine
from typing import Any

from django.http import HttpRequest

from streaming.runtime import Runtime


class ProvideRuntime:
    """ASGI middleware that puts a runtime into each request's scope."""

    _asgi_single_callable = True  # asgiref: an ASGI 3 application, although it is no coroutine function

    def __init__(self, application: Any, runtime: Runtime) -> None:
        self._application = application
        self._runtime = runtime

    def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Coroutine[Any, Any, None]:
        """Call the application, which finds `runtime` in the scope."""
        response: Coroutine[Any, Any, None] = self._application({**scope, "runtime": self._runtime}, receive, send)
        return response


def runtime_of(request: HttpRequest) -> Runtime:
    """The runtime of the process that answers `request`. Raises KeyError under WSGI, which cannot stream."""
    runtime: Runtime = request.scope["runtime"]  # type: ignore[attr-defined]  # an ASGIRequest
    return runtime
