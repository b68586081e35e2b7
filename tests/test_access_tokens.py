"""Who may look, where access is by login: real servers, real clients, tokens that come and go."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection

from tests.admin_session import AdminSession
from tests.conftest import StartServer, end
from tests.processes import MEASURED, Redis, Server, run_manage, wait_until

#: Connections of one viewer.
MOST = 8
LOGIN = {"ACCESS": "login", "STREAM_CONNECTIONS_PER_VIEWER": str(MOST)}
READ_BY_VIEWERS = ("/stream/latest", "/stream/history", "/stream/events")


@pytest.fixture(scope="module")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    process = Redis(tmp_path_factory.mktemp("redis")).start()
    yield process
    end(process)


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, prepared_database: Path, shared_redis: Redis
) -> Iterator[list[Server]]:
    """Two processes, one of each kind, that share a database and a Redis."""
    folder = tmp_path_factory.mktemp("login")
    shutil.copy(prepared_database, folder)
    started = [
        Server(folder, kind, REDIS_URL=shared_redis.url, **LOGIN, **MEASURED).start() for kind in ("daphne", "uvicorn")
    ]
    yield started
    for server in started:
        end(server)


def manage(server: Server, *words: str, code: str = "") -> str:
    """Run manage.py in the server's environment; `code` is given to its shell."""
    done = run_manage(*words, text=code, **server.environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_token(server: Server, *words: str) -> str:
    return manage(server, "create_token", "admin", "a test", *words)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def connect(server: Server, token: str) -> ClientConnection:
    return server.connect(additional_headers=bearer(token))


def read_on(connection: ClientConnection) -> None:
    while True:
        connection.recv(timeout=20)


def close_of(connection: ClientConnection) -> tuple[int, str]:
    """Read until the connection is closed; the code and the reason."""
    with pytest.raises(ConnectionClosedError) as closed:
        read_on(connection)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def is_well(server: Server) -> bool:
    return bool(json.loads(server.get("/stream/health")[1])["status"] == "ok")


def test_nobody_reads_anything_but_whether_it_is_well(servers: list[Server]) -> None:
    for server in servers:
        wait_until(partial(is_well, server))
        for path in READ_BY_VIEWERS:
            status, body = server.get(path)
            assert status == 401
            assert "error" in json.loads(body)
        assert set(json.loads(server.get("/stream/health")[1])) == {"status", "age"}
        assert server.get("/stream/health/live")[0] == 200
        with server.connect() as connection:
            assert close_of(connection)[0] == 4401


def test_a_token_reads_what_its_scopes_say(servers: list[Server]) -> None:
    everything, only_stream = make_token(servers[0]), make_token(servers[0], "--scope", "stream")
    assert everything.startswith("qtd_")
    for server in servers:
        for path in READ_BY_VIEWERS:
            assert server.get(path, **bearer(everything))[0] == 200
        assert server.get("/stream/history", **bearer(only_stream))[0] == 403
        assert set(json.loads(server.get("/stream/health", **bearer(only_stream))[1])) == {"status", "age"}
        assert "checks" in json.loads(server.get("/stream/health", **bearer(everything))[1])
        with connect(server, only_stream) as connection:
            assert "cpu" in json.loads(connection.recv(timeout=20))


def test_a_browser_sends_it_as_a_subprotocol(servers: list[Server]) -> None:
    token = make_token(servers[0])
    for server in servers:
        for offered, chosen in ([f"bearer.{token}"], f"bearer.{token}"), ([f"bearer.{token}", "quantum"], "quantum"):
            with server.connect(subprotocols=offered) as connection:
                assert connection.subprotocol == chosen
                assert "cpu" in json.loads(connection.recv(timeout=20))


def test_a_token_in_an_address_is_refused_and_told_why(servers: list[Server]) -> None:
    token = make_token(servers[0])
    for server in servers:
        status, body = server.get(f"/stream/latest?token={token}")
        assert status == 400
        assert "Authorization: Bearer" in json.loads(body)["error"]
        with server.connect(f"?access_token={token}") as connection:
            code, reason = close_of(connection)
        assert code == 4400
        assert "Bearer" in reason


SHELL = """
from datetime import timedelta
from django.contrib.auth.models import User
from django.utils import timezone
from access.credentials import digest_of
from access.models import AccessToken
user, _ = User.objects.get_or_create(username="somebody")
"""


def run_in_shell(server: Server, code: str) -> str:
    return manage(server, "shell", "-v0", code=SHELL + code)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("AccessToken.objects.get(digest=digest).revoke()", 4401),
        ("AccessToken.objects.get(digest=digest).delete()", 4401),
        ("user.is_superuser = False; user.save()", 4403),
        ("user.is_active = False; user.save()", 4401),
    ],
)
def test_whoever_may_not_look_any_more_is_closed_everywhere_at_once(
    servers: list[Server], change: str, code: int
) -> None:
    begin = "user.is_active = user.is_superuser = True; user.save(); print(AccessToken(name='t', owner=user).begin())"
    token = run_in_shell(servers[0], begin).split()[-1]
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(server, token)) for server in servers for _ in range(3)]
        for connection in connections:
            connection.recv(timeout=20)
        run_in_shell(servers[0], f"digest = digest_of({token!r})\n{change}\n")
        for connection in connections:
            assert close_of(connection)[0] == code
    for server in servers:
        assert server.get("/stream/latest", **bearer(token))[0] == code - 4000


def test_a_process_by_itself_sees_at_once_what_manage_py_revokes(start_server: StartServer) -> None:
    """Nobody can tell it: its channel layer is within it. It was seen within a minute."""
    server = start_server(**LOGIN)
    token = make_token(server)
    with connect(server, token) as connection:
        connection.recv(timeout=20)
        run_in_shell(server, f"AccessToken.objects.get(digest=digest_of({token!r})).revoke()")
        revoked = time.monotonic()
        assert close_of(connection)[0] == 4401
        assert time.monotonic() - revoked < 20


def test_an_expired_token_is_closed(servers: list[Server]) -> None:
    code = """
expires_at = timezone.now() + timedelta(seconds=4)
print(AccessToken(name="t", owner=User.objects.get(username="admin"), expires_at=expires_at).begin())
"""
    token = run_in_shell(servers[0], code).split()[-1]
    with connect(servers[0], token) as connection:
        assert close_of(connection)[0] == 4401


def test_a_viewer_has_so_many_connections_and_no_more(servers: list[Server]) -> None:
    token = make_token(servers[0])
    for server in servers:
        with ExitStack() as stack:
            open_ones = [stack.enter_context(connect(server, token)) for _ in range(MOST)]
            for connection in open_ones:
                connection.recv(timeout=20)
            with connect(server, token) as one_more:
                code, reason = close_of(one_more)
            assert (code, reason) == (4429, f"{MOST} connections are open already: close some")
            open_ones.pop().close()
            wait_until(partial(lets_in, server, token))  # the place is free again


def lets_in(server: Server, token: str) -> bool:
    with connect(server, token) as connection, suppress(ConnectionClosedError):
        return bool(connection.recv(timeout=20))
    return False


def test_logging_out_closes_what_hung_on_the_session(servers: list[Server]) -> None:
    session: Any = AdminSession(servers[0])
    cookie = next(each for each in session.cookies if each.name == "sessionid")
    headers = {"Cookie": f"sessionid={cookie.value}"}
    with ExitStack() as stack:
        connections = [stack.enter_context(server.connect(additional_headers=headers)) for server in servers]
        for connection in connections:
            connection.recv(timeout=20)
        began = time.monotonic()
        session.get("/admin/")
        session.post("/admin/logout/")
        for connection in connections:
            assert close_of(connection)[0] == 4401
        print(f"closed after {time.monotonic() - began:.2f} s")


def test_the_start_says_who_may_look_and_why(servers: list[Server]) -> None:
    for server in servers:
        assert "Access     login: as ACCESS says" in server.output


def test_check_stream_says_that_it_needs_a_token_and_takes_one_from_a_file(
    servers: list[Server], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(make_token(servers[0], "--scope", "stream") + "\n")
    words = ["check_stream", servers[1].stream, "--messages", "2"]
    assert "2 messages, contract kept." in manage(servers[1], *words, "--token-file", str(file))
    with pytest.raises(AssertionError, match="people have to log in there"):
        manage(servers[1], *words)
