"""The page's files as they are served: compressed, kept by browsers, under a strict policy."""

import gzip
import http.client
import json
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import StartServer
from tests.processes import ROOT, Server


@pytest.fixture(scope="module")
def manifest() -> dict[str, str]:
    """The files' names, and those under which they are served."""
    return json.loads((ROOT / "staticfiles" / "staticfiles.json").read_text())["paths"]  # type: ignore[no-any-return]


def test_static_files_are_compressed_and_kept_for_ever(server: Server, manifest: dict[str, str]) -> None:
    address = f"{server.url}/static/{manifest['dashboard/page.js']}"
    with urllib.request.urlopen(urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})) as answer:
        assert "immutable" in answer.headers["Cache-Control"]
        text = gzip.decompress(answer.read()).decode()
    assert f'"./{Path(manifest["dashboard/connection.js"]).name}"' in text


def test_files_are_answered_for_as_http_has_it(server: Server, manifest: dict[str, str]) -> None:
    path = f"/static/{manifest['dashboard/page.css']}"
    status, text = server.get(path)
    assert (status, server.get(path)) == (200, (200, text))  # from the disk, from memory
    with urllib.request.urlopen(server.url + path) as answer:
        etag, kind = answer.headers["ETag"], answer.headers["Content-Type"]
    assert kind.startswith("text/css")
    assert server.get(path, **{"If-None-Match": etag}) == (304, "")
    assert server.get(path, Range="bytes=2-4") == (206, text[2:5])
    assert server.get(path, "HEAD") == (200, "")
    assert server.get(path, "POST")[0] == 405
    assert server.get(path + "x")[0] == server.get("/static/../manage.py")[0] == 404


def test_files_are_for_https_where_it_is_set(start_server: StartServer, manifest: dict[str, str]) -> None:
    server = start_server(HTTPS="true", ALLOWED_HOSTS="127.0.0.1", TRUSTED_PROXIES="1")
    path = f"/static/{manifest['dashboard/page.css']}"
    statuses = []
    for headers in ({}, {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("GET", path, headers=headers)
        statuses.append(connection.getresponse().status)
        connection.close()
    assert statuses == [301, 200]


def test_the_pages_policy_forbids_what_it_does_not_need(server: Server) -> None:
    with urllib.request.urlopen(server.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
