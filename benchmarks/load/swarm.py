"""The clients: one epoll loop over all of them, and what the harness can ask it to do."""

import errno
import select
import socket
import time
from collections import deque
from typing import Any

from benchmarks.load.connection import CLOSE, TEXT, Connection, make_request
from benchmarks.load.recorder import Recorder, at
from benchmarks.load.story import Story

#: Bytes that are read from a connection at a time: a few messages; where much comes at once, as much as is there.
READ, READ_STORY = 4096, 1 << 18
#: Seconds until a refused client tries again.
RETRY_S = 0.1


class Swarm:
    """Many connections to one server.

    After each look at its sockets it sleeps for `look_every_s`. Otherwise the server would pay for waking it up at
    each message, which no server pays for clients on other machines; times are late by as much, at most.
    """

    def __init__(self, port: int, path: str, look_every_s: float, *, is_same: bool = False) -> None:
        """`is_same`: all of them are sent the same, all along."""
        self._port = port
        self._request = make_request(port, path)
        self._look_every_s = look_every_s
        self._epoll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._opened: dict[Connection, None] = {}  # in the order in which they opened
        self._handshakes_s: list[float] = []
        self._pending = 0
        self._number = 0
        self._failures: dict[str, int] = {}
        self._closed = 0
        self._comes_back = False
        self._to_retry: deque[float] = deque()  # when, monotonic seconds
        self._lost_at: float | None = None
        self._first_back_at: float | None = None
        self._recorder = Recorder()
        self._story = Story(self._recorder) if is_same else None
        self._marked = time.perf_counter()
        self._marked_cpu = time.process_time()

    # --- what the harness asks for ---

    def connect(self, count: int, in_flight: int, timeout_s: float) -> dict[str, Any]:
        """Open `count` connections; `seconds` runs from the first attempt to the last success."""
        before, began = len(self._opened), time.perf_counter()
        last = began
        self._failures.clear()
        self._handshakes_s.clear()
        started = 0
        while time.perf_counter() - began < timeout_s:
            while started < count and self._pending < in_flight:
                started += 1
                self._begin()
            if started == count and not self._pending:
                break
            opened = len(self._opened)
            self.turn(0.05)
            if len(self._opened) > opened:
                last = time.perf_counter()
        self._abandon_pending()
        opened = len(self._opened) - before
        seconds = max(last - began, 1e-9)
        handshakes = sorted(self._handshakes_s)
        return {
            "opened": opened,
            "seconds": seconds,
            "per_second": opened / seconds,
            "handshake_ms": {"p50": at(handshakes, 0.5) * 1000, "max": at(handshakes, 1.0) * 1000},
            "failures": dict(self._failures),
        }

    def disconnect(self, count: int) -> dict[str, Any]:
        """Close the newest `count` connections, without a close frame: the client is gone."""
        for connection in list(self._opened)[-count:]:
            self._drop(connection)
        return {"open": len(self._opened)}

    def mark(self, patience_s: float) -> dict[str, Any]:
        """Wait until all have the newest snapshot, report since the last mark, and count anew."""
        limit = time.perf_counter() + patience_s
        while self._count_newest() < len(self._opened) and time.perf_counter() < limit:
            self.turn(0.01)
        now, cpu = time.perf_counter(), time.process_time()
        report = self._recorder.report(len(self._opened))
        if self._story is not None:
            report["messages"], report["strays"] = self._story.messages, self._story.strays
        report["behind"] = max(0, len(self._opened) - self._count_newest()) if patience_s else 0
        report["open"], report["closed_by_server"] = len(self._opened), self._closed
        report["wall_s"], report["load_cpu_s"] = now - self._marked, cpu - self._marked_cpu
        self._recorder.clear()
        self._closed = 0
        self._marked, self._marked_cpu = time.perf_counter(), time.process_time()
        return report

    def _count_newest(self) -> int:
        """How many have the newest snapshot."""
        return self._recorder.newest_count if self._story is None else self._story.whole

    def keep_coming_back(self) -> dict[str, Any]:
        """Connect again whenever the server closes."""
        self._comes_back, self._lost_at, self._first_back_at = True, None, None
        self._failures.clear()
        return {"open": len(self._opened)}

    def wait_until_back(self, timeout_s: float) -> dict[str, Any]:
        """Wait until those lost are open again with a snapshot each; seconds count from the first loss."""
        limit = time.perf_counter() + timeout_s
        while time.perf_counter() < limit:
            self.turn(0.02)
            if self._lost_at is None:
                continue
            if not self._pending and not self._to_retry and all(c.last is not None for c in self._opened):
                break
        self._comes_back = False
        missing = self._pending + len(self._to_retry)
        self._abandon_pending()
        self._to_retry.clear()
        now = time.perf_counter()
        began = self._lost_at or now
        return {
            "back": len(self._opened),
            "missing": missing,
            "seconds": now - began,
            "first_after_s": (self._first_back_at or now) - began,
            "failures": dict(self._failures),
        }

    # --- the loop ---

    def watch(self, file: int) -> None:
        """Have turn() return as soon as `file` can be read."""
        self._epoll.register(file, select.EPOLLIN)

    def turn(self, timeout_s: float) -> bool:
        """Wait for something and handle it; True where a watched file can be read."""
        is_asked = False
        connections, note, now = self._connections, self._recorder.note, time.time
        most = READ if self._story is None else READ_STORY
        for fd, events in self._epoll.poll(timeout_s, READ):
            connection = connections.get(fd)
            if connection is None:
                is_asked = True
            elif not connection.is_open:
                self._go_on(connection, events)
            else:
                try:
                    data = connection.receive(most)
                except BlockingIOError:
                    continue
                except OSError as error:
                    self._lose(connection, errno.errorcode.get(error.errno or 0, str(error)))
                    continue
                received = now()
                # One whole text frame, which is nearly always what comes: \x81, 126, two bytes of length.
                if (
                    self._story is None
                    and not connection.rest
                    and data[:2] == b"\x81\x7e"
                    and int.from_bytes(data[2:4], "big") == len(data) - 4
                ):
                    note(connection, data, received)
                else:
                    try:
                        self._take(connection, data, received)
                    except OSError as error:  # it had a ping to answer
                        self._lose(connection, errno.errorcode.get(error.errno or 0, str(error)))
        while self._to_retry and self._to_retry[0] <= time.perf_counter():
            self._to_retry.popleft()
            self._begin()
        if self._look_every_s:
            time.sleep(self._look_every_s)
        return is_asked

    def _take(self, connection: Connection, data: bytes, received: float) -> None:
        if not data:
            self._lose(connection, "closed")
            return
        if self._story is not None:
            self._story.take(connection, data, received)
            return
        for frame in connection.take(data):
            if frame.opcode == TEXT:
                self._recorder.note(connection, frame.raw, received)
            elif frame.opcode == CLOSE:
                self._lose(connection, f"close {int.from_bytes(frame.payload[:2], 'big')}")
                return

    # --- connecting ---

    def _begin(self) -> None:
        self._number += 1
        try:
            connection = Connection(self._number, self._port, time.perf_counter())
        except OSError as error:
            self._fail(errno.errorcode.get(error.errno or 0, str(error)))
            return
        self._connections[connection.fd] = connection
        self._epoll.register(connection.fd, select.EPOLLOUT)
        self._pending += 1

    def _go_on(self, connection: Connection, events: int) -> None:
        """The next step of a handshake: send the request when connected, then read the answer."""
        try:
            if code := connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(code, "")
            if events & select.EPOLLIN:
                if not (data := connection.receive(READ)):
                    raise ConnectionError("closed in the handshake")
                if connection.take_handshake(data):
                    self._open(connection)
            elif events & select.EPOLLOUT:
                connection.socket.send(self._request)
                self._epoll.modify(connection.fd, select.EPOLLIN)
        except OSError as error:
            self._pending -= 1
            self._drop(connection)
            self._fail(errno.errorcode.get(error.errno or 0, str(error)))

    def _open(self, connection: Connection) -> None:
        self._pending -= 1
        self._opened[connection] = None
        now = time.perf_counter()
        self._handshakes_s.append(now - connection.began)
        if self._comes_back and self._first_back_at is None:
            self._first_back_at = now
        if connection.rest:
            rest, connection.rest = connection.rest, b""
            self._take(connection, rest, time.time())

    def _fail(self, why: str) -> None:
        self._failures[why] = self._failures.get(why, 0) + 1
        if self._comes_back:
            self._to_retry.append(time.perf_counter() + RETRY_S)

    def _lose(self, connection: Connection, why: str) -> None:
        """The server ended an open connection."""
        self._closed += 1
        self._drop(connection)
        if self._comes_back:
            if self._lost_at is None:
                self._lost_at = time.perf_counter()
            self._begin()
        else:
            self._failures[why] = self._failures.get(why, 0) + 1

    def _drop(self, connection: Connection) -> None:
        self._connections.pop(connection.fd, None)
        if connection.is_open:
            self._opened.pop(connection, None)
            if self._story is not None:
                self._story.forget(connection)
        connection.socket.close()

    def _abandon_pending(self) -> None:
        for connection in [c for c in self._connections.values() if not c.is_open]:
            self._drop(connection)
            self._failures["no answer in time"] = self._failures.get("no answer in time", 0) + 1
        self._pending = 0
