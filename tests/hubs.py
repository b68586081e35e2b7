"""Hubs for tests whose connections are nothing but a `send`, and requests to a runtime of the test's own."""

from typing import Any

from django.test import AsyncClient

from streaming.delivery.hub import Hub
from streaming.delivery.sending import SteppingSender
from streaming.runtime import Runtime
from streaming.wire import Frame


def make_hub(**options: Any) -> Hub:
    """A hub that sends as far as it gets without a task, as under the servers that were looked into."""
    return Hub(make_sender=SteppingSender, **options)


class RuntimeClient(AsyncClient):
    """Django's test client, in a process that runs `runtime`."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._runtime = runtime

    def _base_scope(self, **request: Any) -> dict[str, Any]:
        scope: dict[str, Any] = super()._base_scope(**request)  # type: ignore[misc]  # left out by the stubs
        query = scope.get("query_string", b"")  # bytes, as servers have it; Django's client says a text
        return {
            **scope,
            "query_string": query.encode() if isinstance(query, str) else query,
            "runtime": self._runtime,
        }


def make_frame(number: int, previous: int | None = None, *, term: int = 1, text: str = "") -> Frame:
    """The snapshot with the id `number`; where not said otherwise, it follows the one before and its text is a JSON."""
    text = text or f'{{"id":{number}}}'
    return Frame(number, previous if previous is not None or number <= 1 else number - 1, term, text)
