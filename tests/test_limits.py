"""What strangers may take: each limit on real servers, which go on serving everybody else."""

import itertools
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from select import select

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close, Frame, Opcode
from websockets.sync.client import ClientConnection

from streaming.limits.bodies import LARGEST_BODY
from streaming.limits.places import Places, count_places
from tests.conftest import end
from tests.processes import Server, wait_until
from tests.test_slow_clients import HANDSHAKE, resident_kib

#: Connections in all, and of one address, of the servers here.
MOST, OF_ONE = 60, 40
KINDS = ["daphne", "uvicorn"]


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with few places, for all tests of a kind."""
    process = Server(
        tmp_path_factory.mktemp(request.param),
        request.param,
        CONNECTIONS=str(MOST),
        CONNECTIONS_PER_ADDRESS=str(OF_ONE),
    ).start()
    yield process
    end(process)


def connect(server: Server, *, source: str = "127.0.0.1") -> socket.socket:
    """A raw connection from an address of this machine."""
    connection = socket.create_connection(("127.0.0.1", server.port), source_address=(source, 0))
    connection.settimeout(30)
    return connection


def ask(connection: socket.socket, path: str = "/stream/health/live") -> bytes:
    """The status line of an answer; nothing where the connection was ended."""
    try:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return connection.recv(4096).split(b"\r\n")[0]
    except ConnectionError:
        return b""


def is_ended(connection: socket.socket) -> bool:
    """Whether the server ends it, whatever it says before; waits for that."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


def read_to_end(connection: ClientConnection) -> ConnectionClosed:
    """How a connection ends."""
    try:
        while True:
            connection.recv(timeout=20)
    except ConnectionClosed as closed:
        return closed


def test_a_flood_of_pings_is_cut_off_and_keeps_nothing_from_the_others(server: Server) -> None:
    pings = Frame(Opcode.PING, b"").serialize(mask=True) * 10_000
    with server.connect() as witness, server.connect() as flood:
        witness.recv(timeout=20)
        sent = 0
        with suppress(OSError):
            while sent < 20_000_000:
                sent += flood.socket.send(pings)
        assert sent < 20_000_000
        assert read_to_end(flood).rcvd in (None, Close(1008, "sends too much"))  # its own end may have been quicker
        witness.recv(timeout=20)


def test_whoever_sends_too_much_is_told_why(server: Server) -> None:
    with server.connect() as chatty:
        chatty.socket.sendall(Frame(Opcode.PING, b"x" * 100).serialize(mask=True) * 400)  # 42 KB
        assert read_to_end(chatty).rcvd == Close(1008, "sends too much")


def test_a_client_that_pings_now_and_then_stays(server: Server) -> None:
    with server.connect() as client:
        for _ in range(100):
            assert client.ping().wait(timeout=20)
        client.recv(timeout=20)


def test_whoever_does_not_say_in_time_what_they_want_is_sent_away(server: Server) -> None:
    slowly = itertools.chain(b"GET / HTTP/1.1\r\nX-Slow: ", itertools.repeat(ord("x")))
    with ExitStack() as stack:
        silent, half_a_head, half_a_body, slow = (stack.enter_context(connect(server)) for _ in range(4))
        half_a_head.sendall(b"GET / HTTP/1.1\r\nHost: 127")
        half_a_body.sendall(b"POST /admin/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nusern")
        began = time.monotonic()
        while True:  # a byte now and then buys no time
            time.sleep(0.2)
            try:
                slow.send(bytes([next(slowly)]))
            except ConnectionError:
                break
            assert time.monotonic() - began < 100
        assert all(map(is_ended, [silent, half_a_head, half_a_body]))


def test_one_address_gets_no_more_than_its_places_and_others_get_theirs(server: Server) -> None:
    with ExitStack() as stack:
        greedy = [stack.enter_context(connect(server)) for _ in range(OF_ONE + 20)]
        assert sum(ask(connection) == b"" for connection in greedy) >= 20
        assert ask(stack.enter_context(connect(server, source="127.0.0.2"))) == b"HTTP/1.1 200 OK"
    wait_until(lambda: server.health()["status"] == "ok", 30)
    assert "127.0.0.1 has 40 already (CONNECTIONS_PER_ADDRESS)" in server.output


#: What a connection may begin with.
BEGINNINGS = {
    "nothing": b"",
    "a part of a request": HANDSHAKE[:60],
    "nonsense": b"\0\r\n\r\n",
    "HTTP": b"GET /stream/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a plain handshake": HANDSHAKE,
    "a handshake that is refused": HANDSHAKE.replace(b"Version: 13", b"Version: 7"),
    "a handshake for another site": HANDSHAKE.replace(b"Host: 127.0.0.1", b"Host: example.com"),
    "another handshake": HANDSHAKE.replace(b"\r\n", b"\r\nX_Unusual: 1\r\n", 1),
}
#: What the server waits for more of.
SAYS_NOT_ENOUGH = {"nothing", "a part of a request"}
#: What is answered with an error, after which the server ends the connection.
ENDS_AT_ONCE = {"nonsense", "a handshake that is refused", "a handshake for another site"}


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_whatever_a_connection_was_its_place_is_given_back(server: Server, beginning: str) -> None:
    def gets_a_place() -> bool:
        with connect(server, source="127.0.0.3") as connection:
            return ask(connection) == b"HTTP/1.1 200 OK"

    for _ in range(2):
        with ExitStack() as stack:
            for _ in range(OF_ONE):
                connection = stack.enter_context(connect(server, source="127.0.0.3"))
                connection.sendall(BEGINNINGS[beginning])
                if beginning not in SAYS_NOT_ENOUGH:
                    connection.recv(4096)
            assert gets_a_place() is (beginning in ENDS_AT_ONCE)
        wait_until(gets_a_place)


def test_the_last_places_are_for_health_and_the_admin(server: Server) -> None:
    with ExitStack() as stack:
        for number in range(MOST):
            held = stack.enter_context(connect(server, source=f"127.0.1.{number % 200 + 1}"))
            assert ask(held) == b"HTTP/1.1 200 OK"  # kept alive for a while
        late = [stack.enter_context(connect(server, source="127.0.2.1")) for _ in range(4)]
        answers = [ask(one, path) for one, path in zip(late, ["/stream/latest", "/"], strict=False)]
        assert answers == [b"HTTP/1.1 503 Service Unavailable"] * 2
        assert ask(late[2], "/stream/health").startswith(b"HTTP/1.1 ")
        assert ask(late[3], "/admin/login/").startswith((b"HTTP/1.1 200", b"HTTP/1.1 302"))
    wait_until(lambda: ask(connect(server), "/stream/latest") == b"HTTP/1.1 200 OK", 30)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_large_body_is_refused_before_it_is_read(server: Server, *, is_chunked: bool) -> None:
    before = resident_kib(server)
    head = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {400 << 20}"
    part = b"x" * 65536
    part = b"10000\r\n" + part + b"\r\n" if is_chunked else part
    sent = 0
    with connect(server) as stranger, suppress(ConnectionError):
        stranger.sendall(f"POST /stream/latest HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n\r\n".encode())
        while sent < 400 << 20 and not select([stranger], [], [], 0)[0]:
            sent += stranger.send(part)
        assert stranger.recv(4096).startswith(b"HTTP/1.1 413")
    assert sent < LARGEST_BODY + (24 << 20)  # what the kernel holds on the way
    assert resident_kib(server) - before < 20_000


def test_a_small_body_is_read_in_whole(server: Server) -> None:
    body = b"login=nobody&password=" + b"x" * 100_000
    with connect(server) as somebody:
        somebody.sendall(
            b"POST /account/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        assert somebody.recv(4096).startswith(b"HTTP/1.1 403")  # no CSRF token: it came to the view


def test_a_monitor_that_speaks_an_old_http_is_not_answered_in_chunks(server: Server) -> None:
    with connect(server) as monitor:
        monitor.sendall(b"GET /stream/health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        head, _, body = b"".join(iter(lambda: monitor.recv(4096), b"")).partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}" in head.decode().lower()
    assert json.loads(body)["status"] in {"ok", "degraded"}


def test_places_are_given_back() -> None:
    places = Places(2, 2, reserve=1)
    assert places.take("a")
    assert places.take("a")
    assert not places.take("a")
    assert places.take("b")
    assert places.taken > places.most
    assert not places.take("b")
    for address in ("a", "a", "b"):
        places.leave(address)
    assert (places.taken, places.refused) == (0, 2)
    assert not places._of


def test_more_connections_than_files_are_not_promised(caplog: pytest.LogCaptureFixture) -> None:
    assert count_places(10**6) < 10**6
    assert "ulimit -n" in caplog.text
