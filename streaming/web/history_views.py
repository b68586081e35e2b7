"""History over HTTP: a range of snapshots or their summaries, and the newest snapshot."""

import json
from collections.abc import Callable, Iterator
from functools import partial

from asgiref.sync import sync_to_async
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.db.models import Count, Max, Min
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from access.models.record_entry import Event
from access.record import note_if_possible
from access.share import Share
from access.viewer import ANYBODY, Scope, Viewer
from metrics.history.export import export_csv, export_json
from metrics.history.export_gate import RETRY_AFTER_S, TooManyExportsError, gate
from metrics.history.response import answer_with, format_for_files
from metrics.models import SnapshotRecord, SourceSwitch
from metrics.snapshot import to_ms
from streaming.delivery.sharing import show_frame
from streaming.limits.queue import QueueFullError
from streaming.web.admission import admits
from streaming.web.history_query import BadQueryError, HistoryQuery, parse_query
from streaming.web.provide import runtime_of
from streaming.web.shared_history import export_shared_csv, export_shared_json

#: The number of the answers' form: raised where the same snapshots are told in another way.
FORM = 2
#: Snapshots of which an answer is never an export (metrics.history.response.LARGEST_WHOLE).
SHORT = 1000
CONTENT_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8"}


@csrf_exempt
@require_safe
@admits(Scope.STREAM)
async def latest(request: HttpRequest, viewer: Viewer) -> HttpResponseBase:
    """The newest snapshot, the very bytes that the stream carries; 503 before the first one."""
    frame = runtime_of(request).hub.recent.latest
    if frame is None:
        return JsonResponse({"error": "No snapshot yet."}, status=503)
    if viewer.share is not None:
        frame = show_frame(frame, viewer.share)
    etag, modified = f'"{frame.id}{name_share(viewer.share)}"', int(json.loads(frame.text)["timestamp"])
    response = HttpResponse(frame.text, content_type="application/json")
    validate_by(response, etag, modified)
    return get_conditional_response(request, etag, modified, response) or response


@csrf_exempt
@require_safe
@admits(Scope.HISTORY)
async def history(request: HttpRequest, viewer: Viewer) -> HttpResponseBase:
    """Snapshots or summaries of a range of time, and the switches of sources in it (see docs/http.md)."""
    try:
        async with runtime_of(request).reading_history:
            return await sync_to_async(answer_or_refuse)(request, viewer)
    except QueueFullError:
        words = f"Too many ask for history at once. Ask again in {RETRY_AFTER_S} s."
        return JsonResponse({"error": words}, status=503, headers={"Retry-After": str(RETRY_AFTER_S)})


def answer_or_refuse(request: HttpRequest, viewer: Viewer) -> HttpResponseBase:
    """The answer to what is asked for, or why there is none (blocking).

    Raises nothing of that: what goes from a thread to the loop as an exception takes with it all that was read (half a
    megabyte for each export that was refused), until garbage is collected.
    """
    try:
        return answer(request, viewer)
    except BadQueryError as error:
        return JsonResponse({"error": str(error)}, status=400)
    except TooManyExportsError as error:
        return JsonResponse({"error": str(error)}, status=503, headers={"Retry-After": str(RETRY_AFTER_S)})
    except DatabaseError as error:
        return JsonResponse({"error": f"The database does not answer: {error}."}, status=503)


def answer(request: HttpRequest, viewer: Viewer) -> HttpResponseBase:
    """The answer to what is asked for, as far as `viewer` may see it, or that it has not changed (blocking).

    Raises BadQueryError, TooManyExportsError and django.db.Error.
    """
    query = parse_query({key: str(value) for key, value in request.GET.items()}, find_newest)
    etag, count = find_etag(query, viewer.share)
    unchanged = get_conditional_response(request, etag)
    if unchanged is not None:
        return unchanged
    if request.method == "HEAD":  # nothing is read of what nobody would get
        response: HttpResponseBase = StreamingHttpResponse((), content_type=CONTENT_TYPES[query.format])
    else:
        if query.step_s is None and count > SHORT:
            gate.refuse_if_full()  # before half a megabyte of it is read
        if query.format == "csv":
            note_export(request, viewer, query)
        pieces = choose_export(query.format, viewer.share)(query.start, query.end, query.step_s)
        response = answer_with(pieces, CONTENT_TYPES[query.format])
    if query.format == "csv":
        name = f"history-{format_for_files(query.start)}-{format_for_files(query.end)}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
    validate_by(response, etag)
    return response


def note_export(request: HttpRequest, viewer: Viewer, query: HistoryQuery) -> None:
    """Put into the record who exports what, where it is known who it is (blocking)."""
    if viewer is not ANYBODY:
        about = f"history as CSV, {format_for_files(query.start)} to {format_for_files(query.end)}"
        note_if_possible(Event.EXPORTED, viewer.name, about, request)


def choose_export(format_name: str, share: Share | None) -> Callable[[float, float, float | None], Iterator[str]]:
    """What makes the answer's text: of all, or of what `share` shows."""
    if share is None:
        return export_json if format_name == "json" else export_csv
    return partial(export_shared_json if format_name == "json" else export_shared_csv, share)


def name_share(share: Share | None) -> str:
    """What the ETag of a share link's answer ends with; a hash of the bases would not keep them secret."""
    if share is None:
        return ""
    return "-".join(["", *sorted(share.groups), "amounts" if share.bases is None else "changes"])


def find_etag(query: HistoryQuery, share: Share | None = None) -> tuple[str, int]:
    """Return an ETag that changes with the answer, and how many snapshots its range holds (blocking).

    Raises django.db.Error.

    It is made of how many snapshots the range holds, the oldest and the newest. Snapshots never change; they are added,
    at any place of the range (a publisher catches up what the database did not take), and deleted for their age, the
    oldest first. So each deletion changes the oldest, and while nothing is deleted each addition changes the count: no
    number of the one makes up for the other. That holds for the ids as for the times: of two clocks that differ, the
    oldest by its time may not be the lowest id, so both are told. Switches are only added. The counts cost what SQLite
    spends on the oldest and the newest anyway, one walk over the index: 10 ms per 100,000 snapshots, a fraction of what
    their answer costs.
    """
    within = {"time_ms__gte": to_ms(query.start), "time_ms__lt": to_ms(query.end)}
    try:
        rows = SnapshotRecord.objects.filter(**within).aggregate(
            n=Count("pk"), oldest=Min("time_ms"), lowest=Min("pk"), newest=Max("pk")
        )
        switches = SourceSwitch.objects.filter(**within).aggregate(n=Count("pk"), newest=Max("pk"))
    finally:
        close_old_connections()
    step = "all" if query.step_s is None else query.step_s
    parts = (FORM, query.start, query.end, step, query.format, *rows.values(), *switches.values())
    return f'"{"-".join(map(str, parts))}{name_share(share)}"', rows["n"]


def find_newest() -> float | None:
    """The time of the snapshot that was published last, Unix seconds; None: there is none. Raises django.db.Error."""
    try:
        newest_ms: int | None = SnapshotRecord.objects.order_by("-id").values_list("time_ms", flat=True).first()
    finally:
        close_old_connections()
    return None if newest_ms is None else newest_ms / 1000


def validate_by(response: HttpResponseBase, etag: str, modified: int | None = None) -> None:
    """Let caches keep `response`, and ask each time whether it is still the answer."""
    response["ETag"] = etag
    if modified is not None:
        response["Last-Modified"] = http_date(modified)
    patch_cache_control(response, no_cache=True)
