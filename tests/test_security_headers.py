"""Headers that protect whoever reads an answer: on every kind of answer, from both servers."""

import json
import urllib.error
import urllib.request
from email.message import Message
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from quantum_dashboard.content_policy import NOTHING, SECURITY_HEADERS
from quantum_dashboard.security_headers import keep_private
from tests.admin_session import AdminSession
from tests.conftest import StartServer
from tests.page_fixtures import Browser, wait_for_claim
from tests.processes import PASSWORD, ROOT, Server, wait_until


class Unredirected(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def fetch(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, Message]:
    """Status and headers of one answer, redirects included."""
    request = urllib.request.Request(server.url + path, method=method, headers=headers)
    try:
        with urllib.request.build_opener(Unredirected).open(request, timeout=10) as response:
            return response.status, response.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


STATIC = json.loads((ROOT / "staticfiles" / "staticfiles.json").read_text())["paths"]["dashboard/page.css"]
ANSWERS = [
    ("/", 200, {}),
    (f"/static/{STATIC}", 200, {}),
    (f"/static/{STATIC}", 304, {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}),
    ("/static/nothing", 404, {}),
    ("/favicon.ico", 302, {}),
    ("/service-worker.js", 200, {}),
    ("/stream/latest", 200, {}),
    ("/stream/health", 200, {}),
    ("/stream/health", 200, {"Host": "evil.example"}),
    ("/stream/history?from=x", 400, {}),
    ("/", 400, {"Host": "evil.example"}),
    ("/nothing", 404, {}),
    ("/share/nothing/", 404, {}),
    ("/account/login/", 200, {}),
    ("/admin/", 302, {}),
    ("/stream/latest", 204, {"method": "OPTIONS", "Access-Control-Request-Method": "GET"}),
    ("/stream/latest", 405, {"method": "DELETE"}),
    ("/account/login/", 403, {"method": "POST"}),
    ("/%ff", 404, {}),
]


@pytest.mark.parametrize(("path", "status", "request_headers"), ANSWERS)
def test_every_kind_of_answer_has_every_header(
    server: Server, path: str, status: int, request_headers: dict[str, str]
) -> None:
    wait_until(lambda: server.get("/stream/latest")[0] == 200)
    found, headers = fetch(server, path, **request_headers)
    assert found == status
    for name, value in SECURITY_HEADERS.items():
        said = headers.get_all(name) or []
        assert len(said) == 1, name
        if name not in {"Content-Security-Policy", "Referrer-Policy"}:  # pages have one of their own; links, too
            assert said == [value]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_a_websocket_that_is_refused_has_them_where_the_server_can(server: Server) -> None:
    for path, host in (("/stream/other", "127.0.0.1"), ("/stream/live", "evil.example")):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://{host}{path}", address=("127.0.0.1", server.port))
        response = refused.value.response
        assert response.status_code == 403
        if "Referrer-Policy" not in response.headers:
            assert "daphne" in server.command  # it lets an application say nothing but that it refuses
        else:
            assert response.headers["Content-Security-Policy"] == NOTHING
            assert response.body
    assert "without completing handshake" not in server.output


def test_whatever_depends_on_a_cookie_is_private(server: Server) -> None:
    session = AdminSession(server)
    for path in (
        "/",
        "/admin/",
        "/admin/access/recordentry/",
        "/account/sessions/",
        "/account/2fa/",
        "/account/login/",
    ):
        _, headers = fetch(server, path, **session.cookie)
        assert "private" in headers["Cache-Control"] or "no-store" in headers["Cache-Control"], path
    assert "private" not in (fetch(server, f"/static/{STATIC}")[1]["Cache-Control"] or "")


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ([(b"Vary", b"Accept, Cookie")], b"private"),
        ([(b"Set-Cookie", b"a=b")], b"private"),
        ([(b"Vary", b"Cookie"), (b"Cache-Control", b"no-cache")], b"no-cache, private"),
        ([(b"Vary", b"Cookie"), (b"Cache-Control", b"max-age=0, No-Store")], b"max-age=0, No-Store"),
        ([(b"Vary", b"Origin"), (b"Cache-Control", b"max-age=60")], b"max-age=60"),
        ([], None),
    ],
)
def test_what_is_personal_is_told_by_the_answer_itself(headers: list[tuple[bytes, bytes]], said: bytes | None) -> None:
    assert dict(keep_private(headers)).get(b"cache-control") == said


def test_reports_go_where_the_setting_says(start_server: StartServer) -> None:
    server = start_server(CSP_REPORT_URL="https://reports.example/csp")
    _, headers = fetch(server, "/")
    assert "report-uri https://reports.example/csp" in headers["Content-Security-Policy"]
    assert "report-to csp" in headers["Content-Security-Policy"]
    assert headers["Reporting-Endpoints"] == 'csp="https://reports.example/csp"'


def test_over_https_cookies_belong_to_this_host_alone_and_http_is_left(start_server: StartServer) -> None:
    server = start_server(HTTPS="true")
    status, headers = fetch(server, "/account/login/")
    assert status == 301
    assert headers["Location"] == f"https://127.0.0.1:{server.port}/account/login/"
    assert headers["Content-Security-Policy"]
    status, headers = fetch(server, "/account/login/", **{"X-Forwarded-Proto": "https"})
    assert status == 200
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    for cookie in headers.get_all("Set-Cookie") or []:
        assert cookie.startswith("__Host-")
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie


# --- in a real Chromium: `browser` fails where a page's policy forbade it anything ---


def test_no_text_becomes_markup_on_pages_that_say_so(browser: Browser, server: Server) -> None:
    page = browser.open(f"{server.url}/")
    assert page.evaluate("typeof trustedTypes") == "object"
    for sink in ("document.body.innerHTML = '<b>x</b>'", "trustedTypes.createPolicy('other', {})"):
        refused = page.evaluate(f"() => {{ try {{ {sink}; return 'done' }} catch (error) {{ return error.name }} }}")
        assert refused == "TypeError", sink
    wait_for_claim(page, "navigator.serviceWorker.ready.then(Boolean)")
    browser.complaints = [text for text in browser.complaints if "rusted" not in text and "CSP" not in text]


def test_the_admin_works_under_its_policy(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    page.goto(f"{server.url}/account/login/?next=/admin/")
    page.fill("[name=login]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/admin/")
    for path in ("metrics/datasource/", "auth/user/1/change/", "auth/group/add/", "access/accesstoken/add/"):
        page.goto(f"{server.url}/admin/{path}")
        page.wait_for_load_state("load")
    assert page.locator("select[multiple]").count() >= 0
    page.goto(f"{server.url}/admin/auth/group/add/")
    page.wait_for_selector(".selector-chosen")  # Django's script has built it
