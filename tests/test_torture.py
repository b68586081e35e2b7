"""`check_stream --torture` as users run it: against good servers, and against one that loses things."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from streaming.torture import make_history_address
from tests.conftest import StartServer
from tests.ports import free_port
from tests.processes import Redis, wait_until
from tests.test_commands import manage

FIRST = 1_735_174_460_000
STEP = 50


def make_message(place: int) -> dict[str, Any]:
    own = FIRST + place * STEP
    return {"timestamp": own / 1000, "id": own, "previous": own - STEP}


class Losing:
    """A server of 40 snapshots, 20 ms apart, which never sends those in `lost` and does not keep those in `unkept`."""

    def __init__(self, lost: set[int] = frozenset(), unkept: set[int] = frozenset(), twice: int | None = None) -> None:  # type: ignore[assignment]
        self.lost, self.unkept, self.twice = lost, unkept, twice
        self.began = time.monotonic()

    def send(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        since = int(connection.request.path.partition("since=")[2] or FIRST - 1)
        for place in range(40):
            time.sleep(max(0.0, self.began + place * 0.02 - time.monotonic()))
            message = make_message(place)
            if message["id"] > since and place not in self.lost:
                connection.send(json.dumps(message))
                if place == self.twice:
                    connection.send(json.dumps(message))
        with suppress(Exception):
            connection.recv()

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if not request.path.startswith("/stream/history?"):
            return None
        kept = [make_message(place) for place in range(40) if place not in self.unkept]
        response = connection.respond(HTTPStatus.OK, json.dumps({"snapshots": kept}))
        del response.headers["Content-Type"]
        return response

    @contextmanager
    def listen(self) -> Iterator[str]:
        with serve(self.send, "127.0.0.1", 0, process_request=self.answer) as listening:
            Thread(target=listening.serve_forever, daemon=True).start()
            yield f"ws://127.0.0.1:{listening.socket.getsockname()[1]}/stream/live"
            listening.shutdown()


def test_clients_that_hop_between_servers_lose_nothing(start_server: StartServer, redis: Redis, tmp_path: Path) -> None:
    """With a token, as people have to log in."""
    servers = [start_server(kind, REDIS_URL=redis.url, ACCESS="login") for kind in ("daphne", "uvicorn")]
    wait_until(lambda: all(server.health()["status"] == "ok" for server in servers))
    words = ["admin", "torture", "--scope", "stream", "--scope", "history", "--days", "1"]
    token = tmp_path / "token"
    token.write_text(manage("create_token", *words, **servers[0].environment).stdout)
    words = ["--torture", "20", "--seconds", "4", "--token-file", str(token)]
    result = manage("check_stream", *(server.url for server in servers), *words)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "The promise was kept: lost 0, not kept 0, doubled 0" in result.stdout


@pytest.mark.parametrize(
    ("server", "complaint"),
    [
        (Losing(), ""),
        (Losing(lost={20}), "lost 1,"),
        (Losing(unkept={20}), "not kept 2,"),  # itself, and the one that names it
        (Losing(twice=20), "doubled 1,"),
    ],
)
def test_what_a_server_loses_is_found(server: Losing, complaint: str) -> None:
    server.began = time.monotonic() + 1  # the command has to start
    with server.listen() as address:
        result = manage("check_stream", address, "--torture", "3", "--seconds", "3")
    assert result.returncode == (1 if complaint else 0), result.stdout + result.stderr
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--torture", "0"], "--torture must be from 1"),
        (["--torture", "5", "--seconds", "0"], "--torture must be from 1"),
        (["--torture", "5", "--as", "desk.example"], "--torture knows no --as"),
    ],
)
def test_torture_tells_what_it_needs(words: list[str], told: str) -> None:
    result = manage("check_stream", *words)
    assert result.returncode == 1
    assert told in result.stderr


def test_torture_says_that_nobody_listens() -> None:
    result = manage("check_stream", f"http://127.0.0.1:{free_port()}", "--torture", "2", "--seconds", "0.5")
    assert result.returncode == 1
    assert "no client received anything" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("stream", "history"),
    [
        ("ws://host:8000/stream/live", "http://host:8000/stream/history"),
        ("wss://host/below/stream/live/?x=1", "https://host/below/stream/history"),
    ],
)
def test_history_is_beside_the_stream(stream: str, history: str) -> None:
    assert make_history_address(stream) == history
