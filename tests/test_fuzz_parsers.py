"""Whatever somebody sends, each parser says what it is or refuses it in words (`make fuzz` tries for minutes)."""

import json
import math
from collections.abc import Iterable

from django.test import RequestFactory, override_settings
from hypothesis import example, given
from hypothesis import strategies as st

from access.credentials import LONGEST, Credential, read_credential
from access.people.adapter import find_address
from access.viewer import RefusedError
from metrics.catalogue import CATALOGUE, Group, InvalidValueError
from metrics.parsing import MOST_BYTES, parse_value
from metrics.sources.redis import Answer, compose_reading, keys_of
from streaming.delivery.consumer import NEWEST_ID, parse_since
from streaming.delivery.origin import OriginMiddleware, is_encrypted
from streaming.web.events_view import parse_range
from streaming.web.history_query import LATEST, MOST_BUCKETS, BadQueryError, parse_query
from tests.fuzzing import fuzz

NOW = 1_735_174_460.0
#: Numbers as people, programs and attackers write them.
NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30).map(str),
    st.floats().map(str),
    st.sampled_from(
        ["", "-", "+", ".", "1e", "1e999", "-0", "nan", "inf", "0x1", "1_0", "١", "１", " 1", "1\n", "9" * 400]
    ),
    st.text("0123456789eE+-.", max_size=80),
)
TIMES = st.one_of(
    NUMBERS,
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    st.text("0123456789-:TZ+. W", max_size=30),
    st.text(max_size=40),
)


# --- since ---


@fuzz(150)
@given(
    st.one_of(st.binary(max_size=200), st.one_of(NUMBERS, st.text(max_size=40)).map(lambda s: f"since={s}".encode()))
)
@example(b"since=1e309")
@example(b"since=" + b"9" * 5000)
@example(b"since=%00&since=\xff")
@example(b"since=%ED%A0%80")
def test_since_is_a_cursor_or_a_complaint(query: bytes) -> None:
    since, complaint = parse_since(query)
    assert since is None or 0 <= since <= NEWEST_ID
    assert not complaint or since == NEWEST_ID
    assert len(complaint.encode()) <= 123  # what a close frame holds


# --- history ---


@fuzz(200)
@given(
    st.dictionaries(
        st.sampled_from(["from", "to", "step", "points", "format", "other"]),
        st.one_of(TIMES, st.sampled_from(["json", "csv"])),
    )
)
@example({"from": "0001-01-01T00:00:00+23:59", "to": "9999-12-31T23:59:59-23:59"})
@example({"from": "0", "to": "32503680000", "step": "0.001"})
@example({"from": "-0", "to": "1e-320", "points": "1"})
@example({"to": "2024-W01-1T00:00:00Z", "step": "1e-400"})
def test_a_history_query_is_a_range_of_bounded_length_or_a_complaint(query: dict[str, str]) -> None:
    complaint = ""
    try:
        found = parse_query(query)
    except BadQueryError as error:
        complaint = str(error)
    if complaint:
        assert len(complaint) < 300
        return
    assert 0 <= found.start < found.end <= LATEST
    assert found.step_s is None or (found.end - found.start) / found.step_s <= MOST_BUCKETS + 1


@fuzz(100)
@given(st.dictionaries(st.sampled_from(["from", "to", "x"]), TIMES))
def test_a_range_of_events_is_one_or_a_complaint(query: dict[str, str]) -> None:
    try:
        start, end = parse_range(query)
    except BadQueryError:
        return
    assert 0 <= start < end <= LATEST


# --- Redis ---


ANSWERS: st.SearchStrategy[Answer] = st.one_of(
    st.none(),
    st.binary(max_size=MOST_BYTES + 1),
    NUMBERS.map(lambda text: text.encode()[: MOST_BYTES + 1]),
    st.text(max_size=70).map(lambda text: text.encode("utf-8", "replace")[: MOST_BYTES + 1]),
    st.just(ValueError("WRONGTYPE")),
)


@fuzz(100)
@given(st.data(), st.sampled_from(list(Group)))
def test_whatever_redis_holds_is_a_reading_that_can_be_sent(data: st.DataObject, group: Group) -> None:
    answers = {key: data.draw(ANSWERS, key) for key in keys_of(group)}
    reading = compose_reading(group, answers, now=NOW, max_age_s=30)
    json.dumps([*reading.values.values(), reading.observed], allow_nan=False)
    for key, value in reading.values.items():
        assert (value is None) <= (key in reading.problems)


@fuzz(200)
@given(st.sampled_from(CATALOGUE), st.one_of(NUMBERS, st.text(max_size=80), st.binary(max_size=MOST_BYTES + 1)))
@example(CATALOGUE[0], "1e9999")
@example(CATALOGUE[0], b"\xff" * 300)
@example(CATALOGUE[0], "9" * 64)
def test_a_value_is_in_range_or_refused(metric: object, raw: str | bytes) -> None:
    try:
        value = parse_value(metric, raw)  # type: ignore[arg-type]
    except InvalidValueError:
        return
    assert not isinstance(value, float) or math.isfinite(value)


# --- headers ---

BYTES = st.one_of(st.binary(max_size=60), st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")))
ADDRESSES = st.one_of(
    st.ip_addresses().map(str),
    st.tuples(st.ip_addresses(v=4).map(str), st.integers(0, 70000)).map(lambda pair: f"{pair[0]}:{pair[1]}"),
    st.text("0123456789abcdef.:[]% ,", max_size=50),
    st.text(max_size=20),
)


@fuzz(150)
@given(st.lists(ADDRESSES, max_size=5), ADDRESSES, st.integers(0, 3))
@example([","], "", 1)
@example(["[::1]:80"], "::ffff:127.0.0.1%lo", 1)
def test_where_a_request_comes_from_is_an_address_or_not_known(hops: list[str], peer: str, proxies: int) -> None:
    request = RequestFactory().get("/", headers={"X-Forwarded-For": ",".join(hops)}, REMOTE_ADDR=peer)
    with override_settings(ALLAUTH_TRUSTED_PROXY_COUNT=proxies):
        address = find_address(request)
    assert address is None or (address and len(address) <= 45)


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [b"host", b"origin", b"authorization", b"cookie", b"sec-websocket-protocol", b"x-forwarded-proto", b"x"]
        ),
        st.one_of(
            BYTES,
            BYTES.map(lambda rest: b"Bearer qtd_" + rest),
            BYTES.map(lambda rest: b"bearer.qtd_" + rest),
            BYTES.map(lambda rest: b"sessionid=" + rest),
            BYTES.map(lambda rest: b"http://" + rest),
        ),
    ),
    max_size=6,
)


@fuzz(200)
@given(HEADERS, st.one_of(BYTES, BYTES.map(lambda rest: b"token=" + rest), BYTES.map(lambda rest: b"x=qtd_" + rest)))
@example([(b"cookie", b'sessionid="\\377\\000;')], b"")
@example([(b"authorization", b"Bearer qtd_\xff")], b"")
def test_what_somebody_brings_is_a_credential_nothing_or_a_refusal(
    headers: Iterable[tuple[bytes, bytes]], query: bytes
) -> None:
    refusal = found = None
    try:
        found = read_credential(headers, query)
    except RefusedError as error:
        refusal = error
    assert refusal is None or (refusal.status == 400 and len(str(refusal).encode()) <= 123)
    assert found is None or (isinstance(found, Credential) and 0 < len(found.secret) <= LONGEST)


@fuzz(150)
@given(HEADERS, st.sampled_from(["ws", "wss", ""]))
@example([(b"host", b"[::1"), (b"origin", b"http://[::1")], "ws")
@example([(b"host", b"127.0.0.1:99999"), (b"origin", b"http://127.0.0.1:99999")], "ws")
def test_who_may_open_a_websocket_is_decided_whatever_the_headers_say(
    headers: list[tuple[bytes, bytes]], scheme: str
) -> None:
    scope = {"type": "websocket", "headers": headers, "scheme": scheme}
    encrypted = is_encrypted(scope)
    assert isinstance(OriginMiddleware(None, []).lets_in(scope, is_encrypted=encrypted), bool)
