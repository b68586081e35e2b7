"""The stream as its clients see it, from real servers."""

import asyncio
import json
import re
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
import websocket
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from streaming.contract import find_violations
from tests.conftest import StartServer
from tests.processes import Server, run_manage, wait_until
from tests.test_database_failures import ids_in


def assert_contract(texts: list[str]) -> None:
    before = None
    for text in texts:
        before, violations = find_violations(text, before)
        # How evenly they come is a matter of how busy this machine is, not of the contract's.
        assert [violation for violation in violations if not violation.startswith("spacing")] == []


def test_an_async_client_receives_consecutive_snapshots(server: Server) -> None:
    async def receive() -> list[str]:
        async with websockets.connect(server.stream) as connection:
            return [str(await connection.recv()) for _ in range(6)]

    assert_contract(asyncio.run(receive()))


def test_a_sync_client_receives_consecutive_snapshots(server: Server) -> None:
    connection = websocket.create_connection(server.stream, timeout=20)
    assert_contract([connection.recv() for _ in range(6)])
    connection.close()


def test_the_address_may_end_with_a_slash(server: Server) -> None:
    connection = websocket.create_connection(server.stream + "/", timeout=20)
    assert "cpu" in json.loads(connection.recv())
    connection.close()


def test_any_other_address_is_refused(server: Server) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        websocket.create_connection(f"{server.stream}/other", timeout=20)


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_a_new_connection_gets_the_latest_snapshot_at_once(start_server: StartServer, kind: str) -> None:
    server = start_server(kind, STREAM_INTERVAL="3600")  # nobody waits for the next one
    wait_until(lambda: server.get("/stream/latest")[0] == 200)
    assert server.receive(1) == [json.loads(server.get("/stream/latest")[1])]


def test_what_a_client_sends_is_ignored_up_to_a_size(server: Server) -> None:
    with server.connect() as connection:
        for message in ("", "hello", b"\0" * 100, '{"cpu": 1}', "x" * 4000):
            connection.send(message)
        assert_contract([str(connection.recv(timeout=20)) for _ in range(5)])


def test_a_message_beyond_the_size_closes_with_1009(server: Server) -> None:
    for size in (5000, 100_000):
        with server.connect() as connection:
            connection.send("x" * size)
            wait_until_closed(connection)
            assert connection.close_code == 1009


def wait_until_closed(connection: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        while True:
            connection.recv(timeout=20)


def test_connecting_and_disconnecting_are_logged_with_the_count_and_leave_nothing(server: Server) -> None:
    wait_until(lambda: server.health()["clients"] == 0)
    with server.connect(), server.connect():
        wait_until(lambda: server.health()["clients"] == 2)
    wait_until(lambda: server.health()["clients"] == 0)
    assert re.search(r"Client connected \(2 now\)", server.output)
    assert re.search(r"Client disconnected \(0 now\)", server.output)
    assert server.output.count("Client connected") == server.output.count("Client disconnected")


@pytest.mark.parametrize("kind", ["daphne", "uvicorn", "runserver", "plain daphne", "plain uvicorn"])
def test_however_a_server_is_started_snapshots_flow_before_the_first_request(
    start_server: StartServer, tmp_path: Path, kind: str
) -> None:
    server = start_server(kind, DEBUG="true")
    published = wait_until(lambda: ids_in(tmp_path / "db.sqlite3")[2:])
    messages = server.receive(6, "?since=0")
    assert messages[0]["previous"] is None
    assert messages[2]["id"] == published[0]
    assert_contract([json.dumps(message) for message in messages])


def make_certificate(folder: Path) -> ssl.SSLContext:
    """Write a certificate and its key for 127.0.0.1; who trusts it."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return trusting


@pytest.mark.parametrize("kind", ["daphne with TLS", "uvicorn with TLS"])
def test_what_a_server_encrypts_is_encrypted(start_server: StartServer, tmp_path: Path, kind: str) -> None:
    """Writing frames to the socket itself, as is done without TLS, would send them in the clear."""
    trusting = make_certificate(tmp_path)
    server = start_server(kind)
    with connect(f"wss://127.0.0.1:{server.port}/stream/live", ssl=trusting) as connection:
        assert_contract([str(connection.recv(timeout=20)) for _ in range(3)])


ORIGIN_CASES: list[tuple[str, str | None, bool]] = [
    ("", None, True),
    ("", "{own}", True),
    ("", "https://evil.example", False),
    ("", "http://127.0.0.1:1", False),
    ("https://friend.example", "https://friend.example", True),
    ("https://friend.example", "http://friend.example", False),
    ("*", "https://evil.example", True),
]


@pytest.mark.parametrize("allowed", ["", "https://friend.example", "*"])
def test_pages_of_other_sites_are_let_in_only_where_listed(start_server: StartServer, allowed: str) -> None:
    server = start_server(STREAM_ALLOWED_ORIGINS=allowed)
    for case_allowed, origin, is_let_in in ORIGIN_CASES:
        if case_allowed != allowed:
            continue
        origin = origin and origin.format(own=server.url)
        if is_let_in:
            with server.connect(origin=origin) as connection:
                assert connection.recv(timeout=20)
        else:
            with pytest.raises(InvalidStatus, match="403"):
                server.connect(origin=origin)
            assert "Refused a WebSocket from a page of 'http" in server.output
            assert "STREAM_ALLOWED_ORIGINS" in server.output


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_a_host_that_is_not_this_sites_own_makes_no_origin_its_own(start_server: StartServer, kind: str) -> None:
    """A name that somebody else points at this machine (DNS rebinding) has an equal Origin and Host."""
    server = start_server(kind)  # one that has told nobody: it says so once a minute
    for origin in ("http://rebound.example", None):
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            websocket.create_connection(
                server.stream, host="rebound.example", origin=origin, suppress_origin=origin is None, timeout=20
            )
    server.said("Refused a WebSocket for 'rebound.example', which is not this site: .*ALLOWED_HOSTS")
    assert server.get("/stream/health", Host="rebound.example")[0] in {200, 503}  # monitors ask by any name


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_where_https_is_on_nothing_is_streamed_without_it(start_server: StartServer, kind: str) -> None:
    server = start_server(kind, HTTPS="true", ALLOWED_HOSTS="desk.example", ACCESS="open")
    options = {"host": "desk.example", "suppress_origin": True, "timeout": 20}
    for headers in ([], ["X-Forwarded-Proto: http"]):
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            websocket.create_connection(server.stream, header=headers, **options)
    server.said("Refused a WebSocket without TLS for 'desk.example'.*wss://")
    assert server.output.count("Refused a WebSocket") == 1
    connection = websocket.create_connection(server.stream, header=["X-Forwarded-Proto: https"], **options)
    assert "cpu" in json.loads(connection.recv())
    connection.close()
    words = ("check_stream", server.stream, "--messages", "1")
    refused = run_manage(*words, **server.environment)
    assert refused.returncode == 1
    assert "ALLOWED_HOSTS" in refused.stderr
    assert "--as HOST" in refused.stderr
    accepted = run_manage(*words, "--as", "desk.example", **server.environment)
    assert accepted.returncode == 0, accepted.stderr


@pytest.mark.parametrize("kind", ["daphne with TLS", "uvicorn with TLS"])
def test_where_a_server_does_tls_itself_no_proxy_need_say_so(
    start_server: StartServer, tmp_path: Path, kind: str
) -> None:
    trusting = make_certificate(tmp_path)
    server = start_server(kind, HTTPS="true", TRUSTED_PROXIES="0")
    with connect(f"wss://127.0.0.1:{server.port}/stream/live", ssl=trusting) as connection:
        assert "cpu" in json.loads(connection.recv(timeout=20))
