"""Sends history as it is read from the database, so that memory stays flat however long it is."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from functools import partial

from asgiref.sync import sync_to_async
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from metrics.history.export_gate import ExportGate, Slot, gate

#: Characters up to which an answer is sent whole, and nothing of it is held but its bytes: what the page asks for is.
LARGEST_WHOLE = 512 * 1024


def answer_with(pieces: Iterator[str], content_type: str, exports: ExportGate = gate) -> HttpResponseBase:
    """A response of `pieces` (blocking until their beginning is read).

    A long one is streamed, each piece read in the request's thread when the client has taken the last one, and is an
    export: as many are under way as `exports` allows. Raises TooManyExportsError, and django.db.Error where the
    beginning cannot be read.
    """
    beginning, is_whole = read_beginning(pieces)
    if is_whole:
        return HttpResponse(beginning, content_type=content_type)
    slot = exports.enter()
    advance = sync_to_async(lambda: next(pieces, ""))  # the same thread each time

    async def body(piece: str) -> AsyncIterator[str]:
        try:
            while piece:
                yield piece
                piece = await advance()
        finally:
            exports.leave(slot)

    return Export(body(beginning), exports=exports, slot=slot, content_type=content_type)


class Export(StreamingHttpResponse):
    """A streamed answer, which gives its slot back when it is closed, read or not."""

    def __init__(self, content: AsyncIterator[str], *, exports: ExportGate, slot: Slot, content_type: str) -> None:
        super().__init__(content, content_type=content_type)
        self._leave = partial(exports.leave, slot)

    def close(self) -> None:
        """Called by Django when the client has it all, or has left."""
        super().close()
        self._leave()


def read_beginning(pieces: Iterator[str]) -> tuple[str, bool]:
    """The first pieces, more than LARGEST_WHOLE characters of them or all there are, and whether they are all."""
    read: list[str] = []
    length = 0
    for piece in pieces:
        read.append(piece)
        length += len(piece)
        if length > LARGEST_WHOLE:
            return "".join(read), False
    return "".join(read), True


def format_for_files(timestamp: float) -> str:
    """Unix seconds as UTC in a form that every file system takes: 20241226T005420Z."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y%m%dT%H%M%SZ")
