"""What would be open to others stops the start, and says what to type; errors in development mode tell no password."""

import asyncio
import re
import secrets
import sys
from typing import Any

import pytest
from django.test import RequestFactory

from access.exposure import explain_exposed_address, explain_exposed_debug, explain_weak_key
from quantum_dashboard.error_report import DiscreetReporter
from quantum_dashboard.own_machine import OwnMachineOnly
from tests.ports import free_port
from tests.test_commands import SECRET, manage


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("x", "has 1 characters, and needs 32"),
        ("x" * 50, "has 1 different characters"),
        ("abcdefg" * 10, "has 7 different characters"),
        ("django-insecure-" + "abcdefghijklmnop" * 3, "everybody knows"),
        ("development-only-" + "abcdefghijklmnop" * 3, "everybody knows"),
    ],
)
def test_a_key_that_can_be_guessed_is_refused_with_what_to_type(key: str, why: str) -> None:
    told = explain_weak_key(key)
    assert told is not None
    assert why in told
    assert "token_urlsafe" in told
    assert key not in told


def test_a_key_as_make_writes_it_is_strong() -> None:
    assert all(explain_weak_key(secrets.token_urlsafe(50)) is None for _ in range(100))


@pytest.mark.parametrize(
    ("hosts", "is_exposed"),
    [(["localhost", "127.0.0.1", "[::1]"], False), ([], False), (["desk.example"], True), (["*"], True)],
)
def test_development_mode_is_for_this_machine_by_name(hosts: list[str], is_exposed: bool) -> None:
    assert (explain_exposed_debug(hosts) is not None) is is_exposed


@pytest.mark.parametrize(
    ("host", "is_exposed"),
    [
        *((host, False) for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9")),
        *((host, True) for host in ("0.0.0.0", "::", "10.0.0.7", "desk.example", "")),
    ],
)
def test_development_mode_is_for_this_machine_by_address(host: str, is_exposed: bool) -> None:
    assert (explain_exposed_address(host) is not None) is is_exposed


@pytest.mark.parametrize(
    ("words", "environment", "why"),
    [
        (["check"], {"SECRET_KEY": "x", "HTTPS": "true"}, "SECRET_KEY has 1 characters.*token_urlsafe"),
        (["check"], {"DEBUG": "true", "ALLOWED_HOSTS": "desk.example"}, "ALLOWED_HOSTS names desk.example"),
        (["serve", "--port", "{port}"], {"DEBUG": "true", "HOST": "0.0.0.0"}, "0.0.0.0 can be reached.*HOST=127.0.0.1"),
        (["runserver", "--noreload", "0.0.0.0:{port}"], {"DEBUG": "true"}, "0.0.0.0 can be reached"),
    ],
)
def test_what_is_exposed_does_not_start(words: list[str], environment: dict[str, str], why: str) -> None:
    refused = manage(*(word.format(port=free_port()) for word in words), **environment)
    assert refused.returncode == 1
    assert re.search(why, refused.stderr, re.DOTALL), refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("server", "status"),
    [
        (("127.0.0.1", 8000), 200),
        (["::1", 8000], 200),
        (("/run/dashboard.sock", None), 200),
        (None, 200),
        (("10.0.0.7", 8000), 403),
        (["2001:db8::1", 8000], 403),
    ],
)
def test_development_mode_answers_this_machine_only_however_the_server_was_started(
    server: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    application = OwnMachineOnly(answer)
    for _ in range(2):
        asyncio.run(application({"type": "http", "server": server}, None, send))
    assert [message["status"] for message in said if "status" in message] == [status, status]
    assert caplog.text.count("DEBUG is on") == (status == 403)


PASSWORDS = ("p4ss-of-redis", "p4ss-of-metrics", "p4ss/of&postgres", "p4ss-of-mail", "p4ss-of-oidc")


def test_the_page_for_errors_tells_no_password(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    of_redis, of_metrics, of_postgres, of_mail, of_oidc = PASSWORDS
    settings.DEBUG = True
    settings.SECRET_KEY = SECRET
    settings.REDIS_URL = f"redis://user:{of_redis}@127.0.0.1:1/0"
    settings.METRICS_REDIS_URL = f"redis://:{of_metrics}@127.0.0.1:1/0"
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", of_postgres)
    settings.EMAIL_HOST_PASSWORD, settings.OIDC_CLIENT_SECRET = of_mail, of_oidc
    settings.CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": [{"address": settings.REDIS_URL}]}}}
    try:
        local_url = f"postgres://quantum:p4ss%2Fof%26postgres@db.example/quantum {PASSWORDS} redis://x:other@h/1"
        raise ZeroDivisionError(f"cannot connect to {settings.REDIS_URL}, {local_url}")
    except ZeroDivisionError:
        reporter = DiscreetReporter(RequestFactory().get("/?x=1"), *sys.exc_info())
    for text in (reporter.get_traceback_html(), reporter.get_traceback_text()):
        assert "ZeroDivisionError" in text
        assert "db.example/quantum" in text
        for secret in (*PASSWORDS, "p4ss%2Fof%26postgres", "p4ss/of&amp;postgres", "x:o" + "ther@", SECRET):
            assert secret not in text
