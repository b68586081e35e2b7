"""Starting and ending a server in the moods that machines have."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import WebSocketException

from streaming.management.addresses import describe_addresses
from tests.conftest import StartServer, end
from tests.processes import PASSWORD, ROOT, Process, Server, lock_exclusively, wait_until
from tests.test_slow_clients import StuckClient

DEFAULT_SOURCES = {"system": "host", "ai": "mock", "portfolio": "mock"}
#: Coverage measures the project, not copies of it.
IGNORED = shutil.ignore_patterns(".*", "__pycache__", "build", "benchmarks", "docs", "tests", "*.sqlite3*")


# --- addresses ---


@pytest.mark.usefixtures("new_interpreters")
@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_port_0_takes_a_free_one_and_the_addresses_that_are_printed_answer(tmp_path: Path, kind: str) -> None:
    server = Server(tmp_path, kind)
    server.command[-1] = "0"
    server.spawn()
    try:
        server.port = int(re.findall(r"\d+", server.said(r"Dashboard +http://127\.0\.0\.1:\d+/"))[-1])
        assert server.port
        stream = server.said(r"ws://\S+").removeprefix("ws://")
        health = server.said(r"Health +http://\S+").split()[-1]
        admin = server.said(r"Admin +http://\S+").split()[-1]
        assert stream == f"127.0.0.1:{server.port}/stream/live"
        assert server.receive(1)
        assert server.get(health.removeprefix(server.url))[0] == 200
        assert "Sign in" in server.get(admin.removeprefix(server.url))[1]
    finally:
        end(server)
    assert server.process is not None
    assert server.process.returncode == 0


def test_a_server_at_all_addresses_names_one_that_answers_and_says_what_others_need(tmp_path: Path) -> None:
    server = Server(tmp_path, HOST="0.0.0.0", ALLOWED_HOSTS="127.0.0.1")
    server.command[-1] = "0"
    server.spawn()
    try:
        server.port = int(server.said(r"Dashboard +http://127\.0\.0\.1:\d+/").rstrip("/").rsplit(":", 1)[1])
        assert server.get("/stream/latest")[0] in {200, 503}
        server.said(rf"Elsewhere .*ALLOWED_HOSTS=127\.0\.0\.1,{re.escape(socket.gethostname())} ")
    finally:
        end(server)


@pytest.mark.parametrize(
    ("host", "allowed", "name", "note"),
    [
        ("127.0.0.1", ["localhost", "127.0.0.1", "[::1]"], "127.0.0.1", None),
        ("::1", ["localhost", "127.0.0.1", "[::1]"], "[::1]", None),
        ("0.0.0.0", ["localhost", "desk.example"], "localhost", "Elsewhere  http://desk.example:8000/"),
        ("::", ["desk.example"], "desk.example", "Elsewhere  http://desk.example:8000/"),
        ("0.0.0.0", [".example"], "localhost", "ALLOWED_HOSTS=.example,this.machine "),
        ("0.0.0.0", ["*"], "localhost", "Elsewhere  http://this.machine:8000/"),
        ("10.0.0.7", ["localhost"], "10.0.0.7", "ALLOWED_HOSTS=localhost,10.0.0.7 "),
    ],
)
def test_an_address_that_would_answer_400_is_never_named_without_saying_so(
    host: str, allowed: list[str], name: str, note: str | None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "this.machine")
    settings.ALLOWED_HOSTS = allowed
    first, *_, last = describe_addresses(host, 8000).splitlines()
    assert first == f"Dashboard  http://{name}:8000/"
    assert (note in last) if note else last.startswith("Admin")


def test_the_page_has_a_card_for_every_metric(start_server: StartServer) -> None:
    server = start_server()
    status, page = server.get("/")
    assert status == 200
    (message,) = server.receive(1)
    values = list(message)[2 : list(message).index("id")]
    assert set(re.findall(r'data-metric="(\w+)"', page)) == set(values)


# --- repeatable simulation ---


def test_the_same_seed_simulates_the_same_under_any_server(start_server: StartServer, tmp_path: Path) -> None:
    records = []
    for number, kind in enumerate(("daphne", "uvicorn")):
        server = start_server(kind, DATABASE_URL=f"sqlite:///{tmp_path / f'{number}.sqlite3'}", MOCK_SEED="7")
        records.append(
            [{key: m[key] for key in ("accuracy", "latency", "pnl", "regime")} for m in server.receive(6, "?since=0")]
        )
    assert records[0] == records[1]


# --- databases that are not ready ---


@pytest.mark.parametrize("kind", ["plain daphne", "plain uvicorn"])
def test_a_server_starts_and_streams_without_any_database(start_server: StartServer, kind: str) -> None:
    server = start_server(kind, DATABASE_URL="sqlite:////no/such/folder/db.sqlite3")
    assert server.receive(2)[-1]["sources"] == DEFAULT_SOURCES
    report = server.health()
    assert report["status"] == "degraded"
    assert any("unable to open database file" in reason for reason in report["reasons"])


def test_a_server_that_starts_while_the_database_is_locked_streams_and_takes_the_choice_later(
    start_server: StartServer, tmp_path: Path
) -> None:
    path = tmp_path / "db.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("UPDATE metrics_datasource SET kind = 'redis' WHERE [group] = 'ai'")
    database.close()
    locked = lock_exclusively(path)
    server = start_server("plain uvicorn")
    with server.connect() as connection:
        message = json.loads(connection.recv(timeout=20))
        assert message["sources"] == DEFAULT_SOURCES
        assert server.health()["status"] == "degraded"
        locked.close()
        wait_until(lambda: json.loads(connection.recv(timeout=20))["sources"]["ai"] == "redis")
    wait_until(lambda: not any("Database" in reason for reason in server.health()["reasons"]))


# --- ends ---


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_clients_that_never_answer_do_not_keep_a_server_from_ending(start_server: StartServer, kind: str) -> None:
    server = start_server(kind, STREAM_DRAIN="1")
    stuck = [StuckClient(server) for _ in range(30)]
    wait_until(lambda: server.health()["clients"] == 30)
    assert server.stop() == 0
    assert "Traceback" not in server.output
    for client in stuck:
        client.socket.close()


@pytest.mark.usefixtures("new_interpreters")
@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_whoever_presses_ctrl_c_twice_sees_no_traceback_either(start_server: StartServer, kind: str) -> None:
    server = start_server(kind, STREAM_DRAIN="30")
    stuck = [StuckClient(server) for _ in range(120)]
    wait_until(lambda: server.health()["clients"] == 120)
    server.send(signal.SIGINT)
    server.said("telling 120 clients")
    server.send(signal.SIGINT)
    assert server.wait() == 0
    assert "Traceback" not in server.output
    for client in stuck:
        client.socket.close()


def test_runserver_ends_without_a_traceback(start_server: StartServer) -> None:
    server = start_server("runserver", DEBUG="true")
    with server.connect() as connection:
        connection.recv(timeout=20)
        assert server.stop(signal.SIGINT) == 0
    assert "Traceback" not in server.output


# --- a copy of the project, to change its code ---


@pytest.fixture
def copy_of_project(tmp_path: Path) -> Path:
    """The project's code in a folder of its own."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT, folder, ignore=IGNORED)
    return folder


def test_runserver_streams_again_after_the_code_was_changed(tmp_path: Path, copy_of_project: Path) -> None:
    server = Server(tmp_path, "runserver", DEBUG="true")
    server.project = copy_of_project
    server.start()
    try:
        first = server.receive(2)[-1]
        file = copy_of_project / "metrics/sources/mock.py"
        text = file.read_text()
        assert "(draw() - draw())" in text
        file.write_text(text.replace("(draw() - draw())", "0"))  # the simulation stands still from now on
        wait_until(lambda: is_still(server))
        assert server.receive(1)[0]["timestamp"] > first["timestamp"]
    finally:
        end(server)


def is_still(server: Server) -> bool:
    try:
        return len({message["accuracy"] for message in server.receive(5)}) == 1
    except (OSError, EOFError, WebSocketException):  # it is starting again
        return False


# --- make ---


@pytest.fixture
def make_serve(tmp_path: Path) -> Iterator[Process]:
    """`make serve` in a process group of its own, as a shell would start it."""
    if shutil.which("make") is None or not (ROOT / ".venv/installed").exists():
        pytest.skip("make serve would install packages first: run `make setup`")
    environment = Server(tmp_path).environment | {"PORT": "0", "HOST": "127.0.0.1", "SERVER": "daphne"}
    process = Process(["setsid", "make", "serve"], tmp_path / "make.log", **environment)
    yield process
    print(process.output)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_make_serve_starts_and_ends_cleanly(make_serve: Process, number: signal.Signals) -> None:
    make_serve.spawn()
    make_serve.said(r"Admin +http://127\.0\.0\.1:\d+/admin/", 60)
    port = int(re.findall(r"\d+", make_serve.said(r"Dashboard +http://127\.0\.0\.1:\d+/"))[-1])
    os.killpg(make_serve.pid, number)  # as Ctrl-C does: every process of the terminal's foreground group gets it
    make_serve.wait()
    wait_until(lambda: not has_processes(make_serve.pid))
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert "Ending: telling 0 clients" in make_serve.output
    assert "Traceback" not in make_serve.output
    assert PASSWORD not in make_serve.output


def has_processes(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
