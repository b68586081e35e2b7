"""Logs: a state of somebody else's making is said once a minute; a defect keeps its traceback, every time."""

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable, Iterator
from threading import Thread
from typing import Any

import pytest
import uvicorn
from django.core.exceptions import DisallowedHost
from redis.exceptions import ConnectionError as RedisConnectionError
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from streaming import runtime
from streaming.log_noise import NoiseHandler
from tests.ports import free_port
from tests.processes import wait_until

BAD_UTF_8 = "Invalid UTF-8 sequence received from client."
DEFECT = "Exception in ASGI application\n"
REDIS_IS_AWAY = "Unexpected exception in receive task"


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make_record(message: str, error: BaseException | None = None, logger: str = "uvicorn.error") -> logging.LogRecord:
    exc_info = (type(error), error, None) if error else None
    return logging.LogRecord(logger, logging.ERROR, "file.py", 1, message, None, exc_info)


def bad_utf_8() -> logging.LogRecord:
    return make_record(BAD_UTF_8, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"))


# --- the handler ---

#: Long enough that no busy machine ends it by itself.
NEVER_S = 3600.0


class Log:
    """What a handler writes."""

    def __init__(self, every_s: float = NEVER_S) -> None:
        self._stream = io.StringIO()
        self.handler = NoiseHandler(self._stream, every_s)
        self.handler.setFormatter(logging.Formatter("%(message)s"))

    def write(self, *records: logging.LogRecord) -> list[str]:
        for record in records:
            self.handler.handle(record)
        return self.lines

    @property
    def lines(self) -> list[str]:
        return self._stream.getvalue().splitlines()


TOLD = "(more of these are counted and told once a minute)"


def test_a_clients_bad_utf_8_is_one_line_without_a_traceback_and_a_count_that_is_told_when_nothing_follows() -> None:
    log = Log(every_s=0.2)
    log.write(*(bad_utf_8() for _ in range(3)))
    counted = "Messages that are not UTF-8: 2 more within 0.2 s"
    wait_until(lambda: counted in log.lines, what="the count")
    assert log.lines == [f"{BAD_UTF_8}: {bad_utf_8().exc_info[1]} {TOLD}", counted]  # type: ignore[index]
    wait_until(lambda: not log.handler._more, what="a minute without any")
    assert log.write(bad_utf_8())[-1] == log.lines[0]


def test_what_is_not_told_when_the_process_ends_is_told_then() -> None:
    log = Log()
    log.write(*(bad_utf_8() for _ in range(8)))
    assert len(log.lines) == 1
    log.handler.close()
    assert log.lines[1:] == ["Messages that are not UTF-8: 7 more within 3600 s"]


def test_a_redis_that_is_away_is_one_line_but_another_error_in_the_same_place_keeps_its_traceback() -> None:
    log = Log()
    away = [make_record(REDIS_IS_AWAY, RedisConnectionError("refused"), "channels_redis.pubsub") for _ in range(2)]
    assert log.write(*away) == [f"{REDIS_IS_AWAY}: refused {TOLD}"]
    for _ in range(2):
        log.write(make_record(REDIS_IS_AWAY, KeyError("channel"), "channels_redis.pubsub"))
    assert log.lines.count("KeyError: 'channel'") == 2


@pytest.mark.parametrize("message", [DEFECT, "Exception in 'lifespan' protocol\n"])
def test_what_is_cancelled_because_somebody_insists_on_the_end_is_one_line(message: str) -> None:
    records = [make_record(message, asyncio.CancelledError()) for _ in range(2)]
    assert Log().write(*records) == [f"{message.strip()}: CancelledError {TOLD}"]


def test_a_defect_keeps_its_traceback_each_time() -> None:
    log = Log()
    for error in (ValueError("one"), ValueError("one"), KeyError("other")):
        log.write(make_record(DEFECT, error))
    assert log.lines.count("ValueError: one") == 2
    assert log.lines.count("KeyError: 'other'") == 1


def test_what_is_remembered_does_not_grow_with_what_others_write() -> None:
    log = Log()
    for number in range(1000):
        refused = DisallowedHost(f"Invalid HTTP_HOST header: '{number}.example'.")
        log.write(make_record(str(refused), refused, "django.security.DisallowedHost"), bad_utf_8())
    assert len(log.lines) == len(log.handler._more) == 2
    assert len(log.write(*(make_record(f"Invalid header: {number}") for number in range(100)))) == 102


def test_a_line_of_a_stranger_is_one_line_and_short() -> None:
    refused = DisallowedHost("x" * 5000)
    log = Log()
    log.write(make_record("Invalid\r\n2026 ERROR root: all is lost\x1b[2J", refused, "django.security.DisallowedHost"))
    assert len(log.lines) == 1
    assert len(log.lines[0]) < 400
    assert log.lines[0].isprintable()


def test_a_failure_of_ours_is_no_noise() -> None:
    log = Log()
    for _ in range(2):
        failure = logging.LogRecord("django.request", logging.ERROR, "", 1, "%s: %s", ("Server Error", "/"), None)
        log.write(failure)
    assert log.lines == ["Server Error: /"] * 2


# --- a real server ---


async def broken_application(scope: Any, receive: Any, send: Any) -> None:
    """Accepts what is said to it at /listen, has a defect everywhere else."""
    if scope["path"] != "/listen":
        raise ZeroDivisionError(scope["path"])
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


@pytest.fixture
def broken_server() -> Iterator[str]:
    """The address of a uvicorn whose application has a defect; it logs in this process."""
    config = uvicorn.Config(
        broken_application, port=free_port(), ws="websockets-sansio", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, what="uvicorn listens")
    yield f"ws://127.0.0.1:{config.port}"
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def test_under_uvicorn_each_defect_is_logged_with_its_traceback_and_bad_utf_8_without(broken_server: str) -> None:
    log = Log()
    logging.getLogger("uvicorn.error").addHandler(log.handler)
    for path in ("/one", "/one", "/other"):
        with pytest.raises(InvalidStatus, match="500"), connect(broken_server + path):
            pass
    for _ in range(2):
        with connect(f"{broken_server}/listen") as connection:
            connection.send(b"\xff", text=True)
            with pytest.raises(ConnectionClosed):
                connection.recv(timeout=10)
            assert connection.close_code == 1007
    logging.getLogger("uvicorn.error").removeHandler(log.handler)
    text = "\n".join(log.lines)
    assert text.count("Traceback") == 3
    assert text.count("ZeroDivisionError: /one") == 2
    assert text.count("ZeroDivisionError: /other") == 1
    assert text.count(BAD_UTF_8) == 1


# --- what is kept running ---


def run_until_done(work: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `work` kept running, without pauses, until it raises asyncio.CancelledError."""
    monkeypatch.setattr(runtime, "RETRY_S", 0.0)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(runtime.keep_running("publisher", work))


def test_what_fails_at_once_again_and_again_is_logged_with_its_traceback_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(runtime, "monotonic", clock)
    durations_s = iter([0.0, 5.0, 59.0])

    async def work() -> None:
        if (duration_s := next(durations_s, None)) is None:
            raise asyncio.CancelledError
        clock.now += duration_s
        raise OSError("away")

    with caplog.at_level(logging.DEBUG, "streaming.runtime"):
        run_until_done(work, monkeypatch)
    told = [record.levelname for record in caplog.records if record.name == "streaming.runtime"]
    assert told == ["ERROR", "DEBUG", "DEBUG"]


def test_what_fails_again_after_it_ran_well_is_logged_with_its_traceback_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(runtime, "monotonic", clock)
    failures = iter([(0.0, "first"), (1.0, "first"), (200_000.0, "second"), (1.0, "second")])

    async def work() -> None:
        duration_s, why = next(failures, (0.0, ""))
        clock.now += duration_s
        if not why:
            raise asyncio.CancelledError
        raise OSError(why)

    with caplog.at_level(logging.DEBUG, "streaming.runtime"):
        run_until_done(work, monkeypatch)
    told = [record for record in caplog.records if record.name == "streaming.runtime"]
    assert [(record.levelname, bool(record.exc_info)) for record in told] == [
        ("ERROR", True),
        ("DEBUG", False),
        ("ERROR", True),
        ("DEBUG", False),
    ]
    assert "second" in told[2].getMessage()
