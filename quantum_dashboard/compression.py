"""Answers compressed with gzip, streamed ones included: a day of history shrinks to a tenth."""

import asyncio
import zlib
from collections.abc import AsyncIterable, AsyncIterator
from typing import cast

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware, re_accepts_gzip
from django.utils.cache import patch_vary_headers

#: zlib's window size that makes it write gzip's header and trailer.
GZIP_WINDOW = 16 + zlib.MAX_WBITS
#: Bytes compressed at once.
LARGEST_PIECE = 64 * 1024
#: Bytes up to which the way to a thread and back (90 µs) takes longer than the compression itself.
SMALL_PIECE = 4 * 1024


class CompressionMiddleware(GZipMiddleware):
    """Django's, except that an asynchronous stream becomes one gzip file.

    Django 5.2 makes one gzip file per chunk, one after the other, and browsers read only the first.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Compress `response` where the client accepts it."""
        if not isinstance(response, StreamingHttpResponse) or not response.is_async:
            return super().process_response(request, response)
        if response.has_header("Content-Encoding"):
            return response
        patch_vary_headers(response, ("Accept-Encoding",))
        if not re_accepts_gzip.search(request.headers.get("Accept-Encoding", "")):
            return response
        response.streaming_content = compress(cast("AsyncIterator[bytes]", response.streaming_content))
        response.headers["Content-Encoding"] = "gzip"
        etag = response.get("ETag", "")
        if etag.startswith('"'):
            response.headers["ETag"] = f"W/{etag}"  # no longer the same bytes
        return response


async def compress(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The chunks as one gzip file, passed on as it fills.

    All but small ones are compressed in a thread, in order, in pieces of at most LARGEST_PIECE bytes: the event loop
    has the stream to serve meanwhile, and what comes out for one piece is sent before the next one is compressed.
    """
    compressor = zlib.compressobj(wbits=GZIP_WINDOW)
    async for chunk in chunks:
        for start in range(0, len(chunk), LARGEST_PIECE):
            piece = chunk[start : start + LARGEST_PIECE]
            if len(piece) <= SMALL_PIECE:
                compressed = compressor.compress(piece)
            else:
                compressed = await asyncio.to_thread(compressor.compress, piece)
            if compressed:
                yield compressed
    yield compressor.flush()
