"""Logs: a state of somebody else's making is said once a minute; a defect keeps its traceback, every time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from threading import Thread
from typing import Any

import pytest
import uvicorn
from redis.exceptions import ConnectionError as RedisConnectionError
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from streaming import log_filters, runtime
from streaming.log_filters import OncePerMinute
from tests.processes import free_port, wait_until

BAD_UTF_8 = "Invalid UTF-8 sequence received from client."
DEFECT = "Exception in ASGI application\n"
REDIS_IS_AWAY = "Unexpected exception in receive task"


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make_record(message: str, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, None) if error else None
    return logging.LogRecord("uvicorn.error", logging.ERROR, "file.py", 1, message, None, exc_info)


def bad_utf_8() -> logging.LogRecord:
    return make_record(BAD_UTF_8, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"))


# --- the filter ---


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(log_filters, "monotonic", clock)
    return clock


def test_a_clients_bad_utf_8_is_one_line_a_minute_without_a_traceback(clock: Clock) -> None:
    once = OncePerMinute()
    first, second, third = bad_utf_8(), bad_utf_8(), bad_utf_8()
    assert once.filter(first)
    assert first.exc_info is None
    assert "invalid start byte" in first.getMessage()
    clock.now += 59
    assert not once.filter(second)
    clock.now += 2
    assert once.filter(third)


@pytest.mark.usefixtures("clock")
def test_a_redis_that_is_away_is_one_line_but_another_error_in_the_same_place_keeps_its_traceback() -> None:
    once = OncePerMinute()
    away = [make_record(REDIS_IS_AWAY, RedisConnectionError("refused")) for _ in range(2)]
    assert [once.filter(record) for record in away] == [True, False]
    for _ in range(2):
        defect = make_record(REDIS_IS_AWAY, KeyError("channel"))
        assert once.filter(defect)
        assert defect.exc_info is not None


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("message", [DEFECT, "Exception in 'lifespan' protocol\n"])
def test_what_is_cancelled_because_somebody_insists_on_the_end_is_one_line(message: str) -> None:
    once = OncePerMinute()
    first, second = (make_record(message, asyncio.CancelledError()) for _ in range(2))
    assert [once.filter(first), once.filter(second)] == [True, False]
    assert first.exc_info is None
    assert first.getMessage() == f"{message.strip()}: CancelledError (told once a minute)"


@pytest.mark.usefixtures("clock")
def test_a_defect_keeps_its_traceback_each_time() -> None:
    once = OncePerMinute()
    for error in (ValueError("one"), ValueError("one"), KeyError("other")):
        record = make_record(DEFECT, error)
        assert once.filter(record)
        assert record.exc_info is not None
        assert record.getMessage() == DEFECT


@pytest.mark.usefixtures("clock")
def test_what_is_remembered_does_not_grow_with_what_others_write() -> None:
    once = OncePerMinute()
    for number in range(1000):
        assert once.filter(make_record(f"Invalid header: {number}"))
        once.filter(bad_utf_8())
    assert len(once._said) == 1


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
    """The address of a uvicorn whose application has a defect; it logs in this process, as Django's settings say."""
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


def test_under_uvicorn_each_defect_is_logged_with_its_traceback_and_bad_utf_8_without(
    broken_server: str, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/one", "/one", "/other"):
        with pytest.raises(InvalidStatus, match="500"), connect(broken_server + path):
            pass
    for _ in range(2):
        with connect(f"{broken_server}/listen") as connection:
            connection.send(b"\xff", text=True)
            with pytest.raises(ConnectionClosed):
                connection.recv(timeout=10)
            assert connection.close_code == 1007
    assert caplog.text.count("Traceback") == 3
    assert caplog.text.count("ZeroDivisionError: /one") == 2
    assert caplog.text.count("ZeroDivisionError: /other") == 1
    assert caplog.text.count(BAD_UTF_8) <= 1  # another test may have had this minute's


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
