"""Sends a long text as it is read from the database, so that memory stays flat however long it is."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse


def stream_text(chunks: Iterator[str], content_type: str) -> StreamingHttpResponse:
    """A response of `chunks`, each read (blocking, in the request's thread) when the client has taken the last one."""
    advance = sync_to_async(lambda: next(chunks, ""))  # the same thread each time: the cursor belongs to it

    async def body() -> AsyncIterator[str]:
        while chunk := await advance():
            yield chunk

    return StreamingHttpResponse(body(), content_type=content_type)
