"""`manage.py doctor`: what is wrong is named, with what to type; and nothing else is."""

import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from streaming.doctor import of_database, of_machine, of_site
from tests.conftest import end
from tests.processes import Redis
from tests.test_commands import manage


def examine(*words: str, **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and what was found by its subject; of several the last."""
    answer = manage("doctor", "--json", *words, **environment)
    assert answer.returncode in {0, 1}, answer.stderr
    return answer.returncode, {finding["subject"]: finding for finding in json.loads(answer.stdout)}


def test_all_is_well_where_it_is(tmp_path: Path, prepared_database: Path) -> None:
    shutil.copy(prepared_database, tmp_path)
    code, found = examine(DATABASE_URL=f"sqlite:///{tmp_path / prepared_database.name}")
    assert [finding for finding in found.values() if not finding["ok"]] == []
    assert code == 0
    assert {"settings", "open files", "database", "migrations", "disk", "vacuum", "Redis"} <= {*found}


def test_each_thing_that_is_wrong_is_named_with_what_to_type(tmp_path: Path) -> None:
    redis = Redis(tmp_path, "--maxmemory", "10mb", "--maxmemory-policy", "allkeys-lru").start()
    try:
        code, found = examine(
            *("--url", "http://127.0.0.1:1"),
            DATABASE_URL=f"sqlite:///{tmp_path / 'new.sqlite3'}",
            CONNECTIONS="1000000",
            HTTPS="true",
            ALLOWED_HOSTS="desk.example",
            REDIS_URL=redis.url,
            METRICS_REDIS_URL="redis://127.0.0.1:1/0",
        )
    finally:
        end(redis)
    assert code == 1
    for subject, do in {
        "proxies": "TRUSTED_PROXIES=1",
        "open files": "LimitNOFILE=1000288",
        "migrations": "manage.py migrate",
        "disk": "manage.py migrate",
        "Redis": "maxmemory-policy noeviction",
        "metrics' Redis": "METRICS_REDIS_URL",
        "health": "look whether the server runs",
    }.items():
        assert not found[subject]["ok"], subject
        assert do in found[subject]["do"], subject
    assert found["Redis's clock"]["ok"]


@pytest.mark.parametrize(
    ("free_mb", "days"),
    [(20, "3.5"), (200, None)],  # a week takes 40 MB, of which 1 is there
)
def test_a_disk_that_will_be_full_is_told_in_days(
    monkeypatch: pytest.MonkeyPatch, free_mb: int, days: str | None
) -> None:
    monkeypatch.setattr(of_database, "measure", lambda: of_database.Size(1_000_000, 0, 100))
    monkeypatch.setattr(of_database, "find_disk", lambda: Path("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_mb * 1_000_000))
    (finding,) = of_database.examine_disk()
    assert (f"full in {days} days" in finding.said) is (days is not None)
    assert ("HISTORY_RETENTION to 3d" in finding.do) is (days is not None)


@pytest.mark.parametrize(("empty_mb", "pays"), [(40, False), (90, False), (200, True)])
def test_a_vacuum_is_proposed_where_it_pays(monkeypatch: pytest.MonkeyPatch, empty_mb: int, pays: bool) -> None:
    monkeypatch.setattr(of_database, "measure", lambda: of_database.Size(400_000_000, empty_mb * 1_000_000, 10))
    (finding,) = of_database.examine_waste()
    assert ("VACUUM" in finding.do) is pays


def test_clocks_and_queues_are_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert of_database.compare_clocks("a", 0.9).is_well
    assert "2.0 s behind it" in of_database.compare_clocks("a", -2).said
    few = tmp_path / "somaxconn"
    few.write_text("128\n")
    monkeypatch.setattr(of_machine, "SOMAXCONN", few)
    (finding,) = of_machine.examine_queue()
    assert finding.do == "sysctl -w net.core.somaxconn=4096"


def test_static_files_that_changed_since_they_were_collected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source, collected = tmp_path / "static", tmp_path / "collected"
    source.mkdir()
    collected.mkdir()
    places = SimpleNamespace(DEBUG=False, STATIC_ROOT=collected, STATICFILES_DIRS=[source])
    monkeypatch.setattr(of_machine, "settings", places)
    assert "not collected" in next(of_machine.examine_static_files()).said
    (collected / "staticfiles.json").write_text('{"paths": {"a.js": "a.1.js"}}')
    for path in (source / "a.js", collected / "a.js", collected / "a.1.js"):
        path.write_text("1")
    assert next(of_machine.examine_static_files()).is_well
    (source / "a.js").write_text("2")
    finding = next(of_machine.examine_static_files())
    assert "(a.js)" in finding.said
    assert "collectstatic" in finding.do


@contextmanager
def tls_server(folder: Path, days: int) -> Iterator[int]:
    """A server with a certificate for localhost, made now; its port."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(days)]
    words += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(["openssl", *words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingTCPServer(("127.0.0.1", 0), BaseRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize(("days", "do"), [(40, ""), (5, "certbot renew")])
def test_a_certificate_is_looked_at_before_it_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, days: int, do: str
) -> None:
    with tls_server(tmp_path, days) as port:
        finding = of_site.examine_certificate("localhost", port)
        assert "is not believed" in finding.said
        assert "certbot" in finding.do
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        finding = of_site.examine_certificate("localhost", port)
    assert finding.do == do
    assert f"lasts {days} days" in finding.said
