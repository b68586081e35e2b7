"""How much a request may carry: nothing here takes an upload, and the admin's forms are small."""

import json
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

#: Bytes of a body.
LARGEST_BODY = 1 << 20
TOO_LARGE = f"A request may carry at most {LARGEST_BODY:,} bytes; nothing here takes an upload."


class BodyTooLargeError(OSError):
    """More has come than was allowed; the application was told that the client is gone."""


class BodyLimit:
    """An ASGI application around the one for HTTP, which answers 413 where a body is larger than LARGEST_BODY.

    One that says so is refused before any of it is read; of one that does not, no more than that is read.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if find_length(scope["headers"]) > LARGEST_BODY:
            await answer(send, 413, TOO_LARGE)
            return
        come, is_over, has_started = 0, False, False

        async def receive_in_measure() -> dict[str, Any]:
            nonlocal come, is_over
            message = await receive()
            come += len(message.get("body", b""))
            if come > LARGEST_BODY:
                is_over = True
                return {"type": "http.disconnect"}
            return message

        async def send_unless_over(message: dict[str, Any]) -> None:
            nonlocal has_started
            if is_over and not has_started:
                raise BodyTooLargeError(TOO_LARGE)
            has_started = True
            await send(message)

        with suppress(BodyTooLargeError):
            await self._application(scope, receive_in_measure, send_unless_over)
        if is_over and not has_started:
            await answer(send, 413, TOO_LARGE)


def find_length(headers: list[tuple[bytes, bytes]]) -> int:
    """What a request says of its body's length, in bytes; 0 where it says nothing that is a number."""
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0


async def answer(send: Send, status: int, words: str, *, retry_after_s: int | None = None) -> None:
    """Answer with `words` as a JSON error, and have the server close the connection."""
    body = json.dumps({"error": words}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    if retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % retry_after_s))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
