"""History over HTTP: a range of snapshots or their summaries, and the newest snapshot."""

from asgiref.sync import sync_to_async
from django.db import Error as DatabaseError
from django.db.models import Max, Min
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from metrics.history.export import export_csv, export_json
from metrics.history.response import stream_text
from metrics.models import SnapshotRecord, SourceSwitch
from metrics.models.snapshot_record import to_ms
from streaming.web.history_query import BadQueryError, HistoryQuery, parse_query
from streaming.web.provide import runtime_of

CONTENT_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8"}


@csrf_exempt
@require_safe
async def latest(request: HttpRequest) -> HttpResponseBase:
    """The newest snapshot, the very bytes that the stream carries; 503 before the first one."""
    frame = runtime_of(request).hub.recent.latest
    if frame is None:
        return JsonResponse({"error": "No snapshot yet."}, status=503)
    etag, modified = f'"{frame.timestamp:.3f}"', int(frame.timestamp)
    response = HttpResponse(frame.text, content_type="application/json")
    validate_by(response, etag, modified)
    return get_conditional_response(request, etag, modified, response) or response


@csrf_exempt
@require_safe
async def history(request: HttpRequest) -> HttpResponseBase:
    """Snapshots or summaries of a range of time, and the switches of sources in it (see docs/http.md)."""
    try:
        query = parse_query({key: str(value) for key, value in request.GET.items()})
    except BadQueryError as error:
        return JsonResponse({"error": str(error)}, status=400)
    try:
        etag = await sync_to_async(find_etag)(query)
    except DatabaseError as error:
        return JsonResponse({"error": f"The database does not answer: {error}."}, status=503)
    unchanged = get_conditional_response(request, etag)
    if unchanged is not None:
        return unchanged
    export = export_json if query.format == "json" else export_csv
    response = stream_text(export(query.start, query.end, query.step_s), CONTENT_TYPES[query.format])
    if query.format == "csv":
        response["Content-Disposition"] = f'attachment; filename="history-{query.start:.0f}-{query.end:.0f}.csv"'
    validate_by(response, etag)
    return response


def find_etag(query: HistoryQuery) -> str:
    """Return an ETag that changes with the answer (blocking).

    Snapshots are only added (the newest changes) and deleted by age (the oldest changes).
    """
    within = {"time_ms__gte": to_ms(query.start), "time_ms__lt": to_ms(query.end)}
    found = SnapshotRecord.objects.filter(**within).aggregate(oldest=Min("time_ms"), newest=Max("time_ms"))
    switch = SourceSwitch.objects.filter(**within).aggregate(newest=Max("pk"))["newest"]
    step = "all" if query.step_s is None else query.step_s
    return f'"{query.start}-{query.end}-{step}-{query.format}-{found["oldest"]}-{found["newest"]}-{switch}"'


def validate_by(response: HttpResponseBase, etag: str, modified: int | None = None) -> None:
    """Let caches keep `response`, and ask each time whether it is still the answer."""
    response["ETag"] = etag
    if modified is not None:
        response["Last-Modified"] = http_date(modified)
    patch_cache_control(response, no_cache=True)
