"""The dashboard as it is deployed: workers behind nginx, over TLS, with the configuration of deploy/nginx."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.conftest import end
from tests.faults.programs import listens
from tests.nginx import DeployedNginx
from tests.processes import Redis, Server, wait_until
from tests.test_workers import workers_of

NAME = "dashboard.example"


class Site(NamedTuple):
    """What runs."""

    server: Server
    nginx: DeployedNginx
    trust: ssl.SSLContext

    @property
    def origin(self) -> str:
        return f"https://{NAME}:{self.nginx.port}"

    def get(self, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        """An answer over TLS."""
        connection = http.client.HTTPSConnection(NAME, self.nginx.port, context=self.trust, timeout=30)
        connection.sock = self.trust.wrap_socket(self.dial(), server_hostname=NAME)
        with closing(connection):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer, answer.read()

    def dial(self) -> socket.socket:
        """A TCP connection to nginx."""
        return socket.create_connection(("127.0.0.1", self.nginx.port), 30)

    def follow(self, query: str = "", origin: str | None = None) -> ClientConnection:
        """A connection to the stream, as a page makes it."""
        return connect(
            f"wss://{NAME}:{self.nginx.port}/stream/live{query}",
            sock=self.dial(),
            ssl=self.trust,
            origin=Origin(origin or self.origin),
            open_timeout=30,
            legacy=True,
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(prepared_database, folder)
    authority = trustme.CA()
    issued = authority.issue_cert(NAME)
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    for part in issued.cert_chain_pems:
        part.write_to_path(str(folder / "certificate.pem"), append=True)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    redis = Redis(folder).start()
    server = Server(
        folder,
        "uvicorn",
        WORKERS="2",
        REDIS_URL=redis.url,
        HTTPS="true",
        TRUSTED_PROXIES="1",
        ALLOWED_HOSTS=f"{NAME},127.0.0.1",
        ACCESS="open",
    ).start()
    nginx = DeployedNginx(folder, server.port, folder / "certificate.pem", folder / "key.pem")
    assert "syntax is ok" in nginx.check()
    nginx.start()
    yield Site(server, nginx, trust)
    for process in (nginx, server, redis):
        end(process)
    assert "Traceback" not in server.output
    assert "emerg" not in (folder / "nginx-error.log").read_text()


def test_the_configuration_without_tls_is_right_too(tmp_path: Path) -> None:
    nginx = DeployedNginx(tmp_path, 1)
    assert "syntax is ok" in nginx.check()
    nginx.start()
    assert listens(nginx.port)
    end(nginx)


def test_the_page_comes_over_tls_and_what_comes_without_is_sent_there(site: Site) -> None:
    answer, body = site.get("/")
    assert answer.status == 200
    assert b'<html lang="en">' in body
    assert answer.headers["Strict-Transport-Security"]
    plain = http.client.HTTPConnection("127.0.0.1", site.nginx.plain_port, timeout=30)
    with closing(plain):
        plain.request("GET", "/stream/history?points=4", headers={"Host": NAME})
        moved = plain.getresponse()
    assert (moved.status, moved.headers["Location"]) == (308, f"https://{NAME}/stream/history?points=4")


def test_static_files_are_kept_for_ever_by_their_names(site: Site) -> None:
    _, page = site.get("/")
    path = re.search(rb'(/static/[^"]+\.[0-9a-f]{12}\.css)', page)
    assert path is not None
    answer, body = site.get(path[1].decode())
    assert answer.status == 200
    assert body
    assert "immutable" in answer.headers["Cache-Control"]


def test_the_admin_asks_for_a_password_without_an_endless_redirect(site: Site) -> None:
    answer, _ = site.get("/admin/")
    assert answer.status == 302
    place = answer.headers["Location"]
    assert place.startswith("/")
    hops = 0
    while answer.status == 302 and hops < 3:
        answer, body = site.get(place)
        place = answer.headers.get("Location", place)
        hops += 1
    assert answer.status == 200
    assert b'name="password"' in body
    cookies = answer.headers.get_all("Set-Cookie") or []
    assert any(cookie.startswith("__Host-csrftoken=") and "Secure" in cookie for cookie in cookies)


def test_health_is_answered_past_all_limits_by_address_too(site: Site) -> None:
    for _ in range(100):
        answer, body = site.get("/stream/health", Host="127.0.0.1")
        assert answer.status == 200
    assert json.loads(body)["status"] in {"ok", "degraded"}


def test_too_many_requests_of_one_address_are_refused(site: Site) -> None:
    statuses = {site.get("/manifest.webmanifest")[0].status for _ in range(150)}
    assert statuses in ({200, 429}, {200})  # a slow machine asks no faster than it may
    wait_until(lambda: site.get("/manifest.webmanifest")[0].status == 200, 30)


def test_a_page_of_another_site_gets_no_stream(site: Site) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        site.follow(origin="https://evil.example")


def test_a_rolling_restart_under_clients_behind_nginx_loses_nothing(site: Site) -> None:
    """50 clients, each of which comes back with `since`, while both workers are replaced."""
    before = workers_of(site.server)

    def follow(_: int) -> list[dict[str, Any]]:
        received: list[dict[str, Any]] = []
        while len(received) < 60:
            try:
                with site.follow(f"?since={received[-1]['id']}" if received else "") as connection:
                    while len(received) < 60:
                        received.append(json.loads(connection.recv(timeout=30)))
            except (ConnectionClosed, InvalidHandshake, OSError, EOFError):
                continue
        return received

    with ThreadPoolExecutor(50) as pool:
        following = [pool.submit(follow, number) for number in range(50)]
        os.kill(site.server.pid, signal.SIGHUP)
        records = [one.result(120) for one in following]
    wait_until(lambda: set(before).isdisjoint(workers_of(site.server)), 60)
    for record in records:
        for earlier, later in pairwise(record):
            assert later["previous"] == earlier["id"]
            assert "missed" not in later
