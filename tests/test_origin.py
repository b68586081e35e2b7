"""Whose pages may open the stream, rule by rule; test_stream.py shows the same from outside."""

import itertools
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.delivery.origin import OriginMiddleware, is_encrypted

OWN = "127.0.0.1:8000"


def lets_in(origin: str | None, host: str = OWN, allowed: tuple[str, ...] = ()) -> bool:
    headers = [(b"host", host.encode("latin-1", "replace"))]
    if origin is not None:
        headers.append((b"origin", origin.encode("latin-1", "replace")))
    return OriginMiddleware(None, list(allowed)).lets_in({"type": "websocket", "headers": headers})


@pytest.mark.parametrize("origin", [f"http://{OWN}", f"https://{OWN}"])
def test_this_sites_own_pages_are_let_in(origin: str) -> None:
    assert lets_in(origin)


def test_a_host_is_the_same_in_capitals() -> None:
    assert lets_in("http://localhost:8000", "LOCALHOST:8000")


def test_programs_which_send_no_origin_are_let_in() -> None:
    assert lets_in(None)
    assert lets_in(None, "localhost")


@pytest.mark.parametrize("host", ["any.example", "127.0.0.1.evil.example:8000", "", "[::1", "127.0.0.1:port", "\xff"])
def test_nobody_is_let_in_for_another_host(host: str, caplog: pytest.LogCaptureFixture) -> None:
    """Not even a program: a proxy may pass on what is not for us."""
    assert not lets_in(None, host)
    assert not lets_in(f"http://{host}", host, ("*",))
    assert "ALLOWED_HOSTS" in caplog.text


@pytest.mark.parametrize(
    ("https", "trusts_proxy", "scope", "is_let_in"),
    [
        (False, False, {}, True),
        (True, True, {}, False),
        (True, True, {"scheme": "ws"}, False),
        (True, True, {"scheme": "wss"}, True),
        (True, True, {"proto": b"https"}, True),
        (True, True, {"proto": b"https, http"}, True),
        (True, True, {"proto": b"http"}, False),
        (True, True, {"proto": b"http", "scheme": "wss"}, False),
        (True, False, {"proto": b"https"}, False),
        (True, False, {"proto": b"http", "scheme": "wss"}, True),
    ],
)
def test_where_https_is_on_nothing_is_served_without_it(
    https: bool, trusts_proxy: bool, scope: dict[str, Any], is_let_in: bool, settings: Any
) -> None:
    settings.HTTPS = https
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if trusts_proxy else None
    said = [(b"x-forwarded-proto", scope["proto"])] if "proto" in scope else []
    headers = [(b"host", OWN.encode()), *said]
    asked = {"type": "websocket", "headers": headers, "scheme": scope.get("scheme", "ws")}
    assert OriginMiddleware(None, []).lets_in(asked, is_encrypted=is_encrypted(asked)) is is_let_in


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://127.0.0.1:8001",
        "http://127.0.0.1",
        "http://127.0.0.1:8000.evil.example",
        "http://evil.example/127.0.0.1:8000",
        "http://127.0.0.1:8000@evil.example",
        "ftp://127.0.0.1:8000",
        "file://",
        "null",
        "127.0.0.1:8000",
        "http://[::1",
        "http://127.0.0.1:port",
        "\xff\xfe",
    ],
)
def test_other_pages_are_refused(origin: str) -> None:
    assert not lets_in(origin)


@pytest.mark.parametrize(
    ("allowed", "origin", "is_let_in"),
    [
        ("https://friend.example", "https://friend.example", True),
        ("https://friend.example", "https://friend.example:444", False),
        ("https://friend.example", "http://friend.example", False),
        ("https://friend.example", "https://not-friend.example", False),
        ("https://friend.example", "https://friend.example.evil.example", False),
        ("https://friend.example:444", "https://friend.example:444", True),
        ("https://friend.example:444", "https://friend.example", False),
        ("null", "null", True),
        ("null", "https://friend.example", False),
        ("*", "https://anybody.example", True),
    ],
)
def test_listed_sites_are_let_in_and_no_others(allowed: str, origin: str, is_let_in: bool) -> None:
    assert lets_in(origin, allowed=(allowed,)) is is_let_in


def test_a_list_does_not_shut_out_this_sites_own_pages() -> None:
    assert lets_in(f"http://{OWN}", allowed=("https://friend.example",))


def test_a_name_that_is_not_this_sites_makes_no_origin_its_own() -> None:
    """DNS rebinding: a foreign name that points here has an equal Origin and Host."""
    assert not lets_in("http://rebound.example:8000", "rebound.example:8000")


def test_a_refusal_is_logged_with_the_reason_and_how_to_allow_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        lets_in("https://evil.example")
    assert "https://evil.example" in caplog.text
    assert OWN in caplog.text
    assert "STREAM_ALLOWED_ORIGINS" in caplog.text


def test_what_somebody_else_wrote_does_not_break_the_log_into_lines(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        lets_in("https://evil.example\r\nERROR root: all is lost", "x" * 5000)
    (record,) = caplog.records
    assert "\n" not in record.getMessage()
    assert len(record.getMessage()) < 1000


@given(st.text(max_size=40), st.text(max_size=20))
def test_no_origin_and_no_host_break_the_guard(origin: str, host: str) -> None:
    lets_in(origin, host)


#: Origins as browsers write them, nearly right, and among them those that are: scheme, host in three parts, port.
NEAR_ORIGINS = itertools.product(
    ["http://", "https://", "ftp://", "//", ""],
    ["", "x.", "127.0.0.1.", "friend.example.", "friend.example:"],
    ["127.0.0.1", "friend.example", "evil.example", "localhost", "[::1]"],
    ["", ".", ".evil.example", "x"],
    ["", ":8000", ":8001", ":80", ":80000", ":port"],
)


def test_this_site_and_what_is_listed_is_let_in_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    expected = {f"http://{OWN}", f"https://{OWN}"}
    origins = ["".join(parts) for parts in NEAR_ORIGINS]
    friend = "https://friend.example"
    assert {origin for origin in origins if origin and lets_in(origin)} == expected
    assert {origin for origin in origins if origin and lets_in(origin, allowed=(friend,))} == expected | {friend}
