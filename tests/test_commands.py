"""The commands as people and deployments run them."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from tests.conftest import StartServer
from tests.ports import free_port
from tests.processes import Server, run_manage, wait_until
from tests.test_contract import START, START_ID, make_message

SECRET = "not-secret-at-all-but-long-enough-for-a-test-of-this-kind"


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_manage(*words, **{"SECRET_KEY": SECRET, **environment})


# --- check_stream ---


def test_check_stream_accepts_a_good_server(server: Server) -> None:
    for address in (server.stream, server.url, f"127.0.0.1:{server.port}"):

        def accepted(address: str = address) -> subprocess.CompletedProcess[str] | None:
            """None where this machine was too busy for the stream to keep its pace: that is told, too."""
            result = manage("check_stream", address, "--messages", "3")
            assert result.returncode == 0 or "spacing" in result.stderr, result.stderr
            return result if result.returncode == 0 else None

        result = wait_until(accepted, 60)
        assert result is not None
        assert len(re.findall(r"  cpu [\d.—]+", result.stdout)) == 3
        assert "contract kept" in result.stdout


def test_check_stream_says_that_nobody_listens() -> None:
    result = manage("check_stream", f"ws://127.0.0.1:{free_port()}/stream/live")
    assert result.returncode == 1
    assert "cannot connect" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("words", [["ftp://x"], ["ws://"], ["ws://127.0.0.1:99999/"], ["--messages", "0"]])
def test_check_stream_tells_what_it_needs(words: list[str]) -> None:
    result = manage("check_stream", *words)
    assert result.returncode == 1
    assert re.search(r"not an address|at least 1", result.stderr)


@contextmanager
def fake_server(texts: list[str]) -> Iterator[str]:
    """A server that sends `texts` and then nothing."""

    def send(connection: ServerConnection) -> None:
        for text in texts:
            connection.send(text)
        with suppress(Exception):
            connection.recv()

    with serve(send, "127.0.0.1", 0) as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{listening.socket.getsockname()[1]}/stream/live"
        listening.shutdown()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cpu": "5"}, "cpu"),
        ({"previous": START_ID - 1}, "gap"),
        ({"id": START_ID, "previous": None}, "is not after"),
        ({"interval": "3"}, "interval"),
        ({"sources": [], "problems": [], "observed": []}, "objects"),
        ({"timestamp": 1e300}, "timestamp"),
    ],
)
def test_check_stream_says_what_breaks_the_contract_and_reads_on(change: dict[str, Any], complaint: str) -> None:
    """Which breaks there are is in test_contract.py; here, that the command names them, whatever they are."""
    first, second, third = (make_message(START + 3 * n, START_ID + 3000 * n - 3000) for n in range(3))
    with fake_server([json.dumps(message) for message in (first, {**second, **change}, third)]) as address:
        result = manage("check_stream", address, "--messages", "3")
    assert result.returncode == 1
    assert complaint in result.stderr, result.stderr
    assert "of 3 messages break the contract" in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stdout.strip().splitlines()) == 3


def test_check_stream_tells_of_what_is_not_json() -> None:
    with fake_server(["{"]) as address:
        result = manage("check_stream", address, "--messages", "1")
    assert result.returncode == 1
    assert "not JSON" in result.stderr


def test_check_stream_does_not_wait_for_ever() -> None:
    with fake_server([]) as address:
        result = manage("check_stream", address, "--timeout", "0.5")
    assert result.returncode == 1
    assert "no message 1 of 5 within 0.5 s" in result.stderr


# --- serve ---


def test_the_first_start_creates_a_staff_user_whose_password_only_the_owner_can_read(tmp_path: Path) -> None:
    """Files of before, which everybody could read, are closed, too."""
    from tests.admin_session import AdminSession

    (tmp_path / "db.sqlite3").touch(0o644)
    (tmp_path / "db.sqlite3-unstored").mkdir(0o755)
    (tmp_path / "audit.jsonl").touch(0o644)
    server = Server(tmp_path, DJANGO_SUPERUSER_PASSWORD="", AUDIT_LOG=str(tmp_path / "audit.jsonl")).start()
    server.said(r"First staff user: admin. The password is in \S+/first-password, which only its owner can read")
    server.said(r"Admin +http://127\.0\.0\.1:\d+/admin/")
    password = (tmp_path / "first-password").read_text().strip()
    assert len(password) >= 12
    AdminSession(server, "admin", password)
    wait_until(lambda: list((tmp_path / "db.sqlite3-unstored").iterdir()))
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if not path.name.endswith(".log")}
    assert modes.pop("db.sqlite3-unstored") == 0o700
    assert {"db.sqlite3", "db.sqlite3-wal", "db.sqlite3-shm", "audit.jsonl", "first-password"} <= set(modes)
    assert set(modes.values()) == {0o600}, modes
    assert server.stop() == 0
    assert password not in server.output
    again = Server(tmp_path, DJANGO_SUPERUSER_PASSWORD="").start()
    again.said("Admin ")
    assert again.stop() == 0
    assert "password" not in again.output
    assert (tmp_path / "first-password").read_text().strip() == password


def test_the_first_user_may_be_named_by_djangos_variables(tmp_path: Path) -> None:
    from tests.admin_session import AdminSession

    server = Server(tmp_path, DJANGO_SUPERUSER_USERNAME="ada", DJANGO_SUPERUSER_PASSWORD="lovelace-1843").start()
    AdminSession(server, "ada", "lovelace-1843")
    assert server.stop() == 0
    assert "lovelace-1843" not in server.output


@pytest.mark.usefixtures("new_interpreters")
@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_ends_cleanly(start_server: StartServer, kind: str, number: signal.Signals) -> None:
    server = start_server(kind)
    with server.connect() as connection:
        connection.recv(timeout=10)
        assert server.stop(number) == 0
    assert "Traceback" not in server.output
    assert "Error" not in server.output


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_a_port_in_use_is_told(start_server: StartServer, kind: str) -> None:
    taken = start_server()
    result = manage(
        "serve", "--server", kind, "--port", str(taken.port), DATABASE_URL=taken.environment["DATABASE_URL"]
    )
    assert result.returncode == 1
    assert f"Is port {taken.port} in use" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("variables", [{"PORT": "http"}, {"PORT": "70000"}, {"SERVER": "gunicorn"}])
def test_wrong_variables_of_serve_are_named(variables: dict[str, str]) -> None:
    result = manage("serve", **variables)
    assert result.returncode == 1
    (name, value) = next(iter(variables.items()))
    assert f"{name} is '{value}'" in result.stderr


# --- settings ---


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STREAM_INTERVAL", "fast"),
        ("STREAM_INTERVAL", "0.01"),
        ("STREAM_INTERVAL", "nan"),
        ("STREAM_INTERVAL", "3601"),
        ("DATABASE_URL", "oracle-ish://x"),
        ("DATABASE_URL", "sqlite:////tmp/x?timeout=long"),
        ("REDIS_URL", "localhost:6379"),
        ("METRICS_REDIS_URL", "http://localhost"),
        ("STREAM_ALLOWED_ORIGINS", "https://ok.example,https://not ok/path"),
        ("DEBUG", "perhaps"),
        ("MOCK_SEED", "x"),
        ("STREAM_REPLAY", "soon"),
        ("HISTORY_RETENTION", "0"),
        ("LOG_LEVEL", "LOUD"),
        ("CURRENCY", "euro"),
    ],
)
def test_a_wrong_value_stops_the_start_and_is_named(name: str, value: str) -> None:
    result = manage("check", **{name: value})
    assert result.returncode == 1
    assert name in result.stderr
    assert "Traceback" not in result.stderr


def test_without_a_secret_key_only_debug_starts() -> None:
    refused = manage("check", SECRET_KEY="", DEBUG="false")
    assert refused.returncode == 1
    assert "SECRET_KEY is not set" in refused.stderr
    assert manage("check", SECRET_KEY="", DEBUG="true").returncode == 0


def test_a_password_in_a_wrong_url_is_not_repeated() -> None:
    refused = manage("check", REDIS_URL="http://:hush@x")
    assert refused.returncode == 1
    assert "REDIS_URL" in refused.stderr
    assert "hush" not in refused.stderr
