"""The attacks: each is a function that is called with a port and lasts for SECONDS, in a process of its own.

Each counts what it did, by `did`: an attack that fails at the first step is none.
"""

import asyncio
import contextlib
import itertools
import multiprocessing
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

SECONDS = 8.0
HANDSHAKE = (
    b"GET /stream/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
STORM = 10_000


def flood_with_pings(port: int) -> None:
    """One WebSocket sends empty pings as fast as it can, and comes back whenever it is cut off."""
    pings = Frame(Opcode.PING, b"").serialize(mask=True) * 5000
    for _ in until_over():
        with contextlib.suppress(OSError), connect(f"ws://127.0.0.1:{port}/stream/live") as one:
            one.socket.settimeout(1)
            while True:
                one.socket.sendall(pings)
                did(5000)


def log_in_wrongly(port: int) -> None:
    """200 at once try passwords, each with a session and a token of its own against forgery."""

    def ask(words: bytes) -> bytes:
        """The answer; tried again while there is none, or too many ask (503)."""
        for _once in until_over():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as one:
                one.settimeout(SECONDS)
                one.sendall(words)
                answer = read_all(one)
                did()
                if answer and not answer.startswith(b"HTTP/1.1 503"):
                    return answer
        return b""

    def attempt(_: int) -> None:
        for _once in until_over():
            page = ask(b"GET /account/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            if b"csrftoken=" not in page:  # the time is over
                return
            token = page.split(b'name="csrfmiddlewaretoken" value="')[1].split(b'"')[0]
            cookie = page.split(b"csrftoken=")[1].split(b";")[0]
            form = b"login=admin&password=wrong&csrfmiddlewaretoken=" + token
            ask(
                b"POST /account/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\nCookie: csrftoken=%b\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (cookie, len(form), form)
            )

    with ThreadPoolExecutor(200) as pool:
        list(pool.map(attempt, range(200)))


def ask_for_history(port: int) -> None:
    """40 ask for all of history and read nothing."""
    with ExitStack() as stack:
        for _ in range(40):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", port))
            one.sendall(b"GET /stream/history?from=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            did()
        time.sleep(SECONDS)


def say_nothing(port: int) -> None:
    """1,000 connections at a time that ask for nothing, half a head, or half a body."""
    beginnings = itertools.cycle(
        [b"", b"GET / HTTP/1.1\r\nHo", b"POST /admin/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nx"]
    )
    held: list[socket.socket] = []
    for _ in until_over():
        with contextlib.suppress(OSError):
            held.append(socket.create_connection(("127.0.0.1", port), timeout=1))
            held[-1].sendall(next(beginnings))
            did()
        if len(held) >= 1000:
            time.sleep(0.05)
            for one in held[:100]:
                one.close()
            del held[:100]


def upload(port: int) -> None:
    """Again and again 400 MB for an address that takes nothing."""
    part = b"x" * 65536
    for _ in until_over():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as one:
            one.settimeout(2)
            one.sendall(b"POST /stream/latest HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % (400 << 20))
            did()
            for _ in range(400 << 4):
                one.sendall(part)


def talk_nonsense(port: int) -> None:
    """Requests that are none, wrong hosts, wrong chunks, wrong text."""
    nonsense = [
        b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /%ff%fe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        HANDSHAKE,
    ]
    text = Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True) + Frame(Opcode.CLOSE, b"").serialize(mask=True)
    for _, words in zip(until_over(), itertools.cycle(nonsense), strict=False):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as one:
            one.sendall(words)
            one.recv(1000)
            if words is HANDSHAKE:
                one.sendall(text)
                one.recv(1000)
            did()


def storm(port: int) -> None:
    """10,000 handshakes at once."""

    async def come(together: asyncio.Semaphore) -> None:
        async with together:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 10)
                writer.write(HANDSHAKE)
                with contextlib.suppress(TimeoutError):
                    if await asyncio.wait_for(reader.read(1000), 10):
                        did()
                await asyncio.sleep(1)
                abort(writer)

    async def all_at_once() -> None:
        together = asyncio.Semaphore(4000)
        await asyncio.gather(*(come(together) for _ in range(STORM)))

    asyncio.run(all_at_once())


def abort(writer: asyncio.StreamWriter) -> None:
    """End a connection without a goodbye: the port is free at once."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def until_over() -> Iterator[None]:
    """Once more, and again, until the attack's time is over."""
    while time.monotonic() < _ends_at:
        yield


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other end closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


_ends_at = 0.0
_done: Any = None  # a number that both processes see


def did(times: int = 1) -> None:
    """The attack did what it is about, so often."""
    with _done.get_lock():
        _done.value += times


def carry_out(attack: Callable[[int], None], port: int, done: Any) -> None:
    """In this process."""
    global _ends_at, _done
    _ends_at, _done = time.monotonic() + SECONDS, done
    attack(port)


@contextmanager
def attacking(attack: Callable[[int], None] | None, port: int) -> Iterator[Callable[[], int]]:
    """Carry `attack` out for as long as it lasts (None: nothing, for as long), while the block runs first.

    What is given to the block tells how often the attack did what it is about.
    """
    context = multiprocessing.get_context("spawn")
    done = context.Value("q", 0)
    process = context.Process(target=carry_out, args=(attack, port, done)) if attack else None
    if process is not None:
        process.start()
    try:
        yield lambda: int(done.value)
    finally:
        if process is not None:
            process.kill()
            process.join()


ATTACKS: dict[str, Callable[[int], None] | None] = {
    "nothing": None,
    "one WebSocket sends pings without end": flood_with_pings,
    "200 at once try passwords": log_in_wrongly,
    "40 ask for all of history and read nothing": ask_for_history,
    "1,000 connections say nothing, or half": say_nothing,
    "400 MB for an address that takes nothing": upload,
    "nonsense of every kind": talk_nonsense,
    "10,000 handshakes at once": storm,
}
