"""What happened beside the numbers, over HTTP: who switched a source, and the notes of staff."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from access.viewer import Scope, Viewer
from metrics.models import Note, SourceSwitch
from metrics.snapshot import to_ms
from streaming.web.admission import admits
from streaming.web.history_query import DEFAULT_RANGE_S, BadQueryError, find_default_end, parse_time

ALLOWED = {"from", "to"}
#: The most events in an answer; of more, the newest.
MOST_EVENTS = 1000


@csrf_exempt
@require_safe
@admits(Scope.HISTORY)
async def events(request: HttpRequest, viewer: Viewer) -> HttpResponseBase:
    """Switches and notes of a range of time, oldest first (see docs/http.md)."""
    try:
        start, end = parse_range({key: str(value) for key, value in request.GET.items()})
        found = await sync_to_async(read_events)(start, end)
    except BadQueryError as error:
        return JsonResponse({"error": str(error)}, status=400)
    except DatabaseError as error:
        return JsonResponse({"error": f"The database does not answer: {error}."}, status=503)
    body = json.dumps({"from": start, "to": end, "complete": len(found) <= MOST_EVENTS, "events": found[-MOST_EVENTS:]})
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:24]}"'
    response = HttpResponse(body, content_type="application/json", headers={"ETag": etag})
    patch_cache_control(response, no_cache=True)
    return get_conditional_response(request, etag, None, response) or response


def parse_range(query: Mapping[str, str]) -> tuple[float, float]:
    """The range that is asked for, in Unix seconds, start included and end not. Raises BadQueryError."""
    if unknown := set(query) - ALLOWED:
        raise BadQueryError(f"Unknown parameter {min(unknown)[:40]!r}; there are {', '.join(sorted(ALLOWED))}.")
    end = parse_time("to", query["to"]) if "to" in query else float(find_default_end(None))
    start = parse_time("from", query["from"]) if "from" in query else max(end - DEFAULT_RANGE_S, 0)
    if start >= end:
        raise BadQueryError(f"from ({start:.3f}) must be before to ({end:.3f}).")
    return start, end


def read_events(start: float, end: float) -> list[dict[str, Any]]:
    """The newest events with start <= time < end, one more than MOST_EVENTS at most, oldest first (blocking).

    Raises django.db.Error.
    """
    try:
        switches = SourceSwitch.objects.filter(time_ms__gte=to_ms(start), time_ms__lt=to_ms(end))
        notes = Note.objects.filter(time__gte=moment(start), time__lt=moment(end))
        found = [describe_switch(switch) for switch in switches.order_by("-time_ms", "-pk")[: MOST_EVENTS + 1]]
        found += [describe_note(note) for note in notes[: MOST_EVENTS + 1]]
    finally:
        close_old_connections()
    return sorted(found, key=lambda event: event["time"])[-MOST_EVENTS - 1 :]


def moment(seconds: float) -> datetime:
    """Unix seconds as the database has them."""
    return datetime.fromtimestamp(seconds, UTC)


def describe_switch(switch: SourceSwitch) -> dict[str, Any]:
    """A change of a group's source, or of how it is read."""
    return {
        "time": switch.time_s,
        "kind": "switch",
        "group": switch.group,
        "by": switch.by,
        "text": switch.describe("->"),
    }


def describe_note(note: Note) -> dict[str, Any]:
    """A note of staff; it is about no group."""
    return {
        "time": round(note.time.timestamp(), 3),
        "kind": "note",
        "group": None,
        "by": note.by or None,
        "text": note.text,
    }
