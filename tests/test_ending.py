"""The end of a process: whatever hangs, it ends, and nothing that was published is lost by it."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from streaming.runtime import end_tasks
from tests.conftest import StartServer
from tests.postgresql import Postgresql
from tests.processes import wait_until
from tests.test_resume import assert_chain
from tests.test_rude_clients import dial


@pytest.mark.usefixtures("new_interpreters")
@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_a_database_that_hangs_keeps_nobody_from_ending_and_loses_nothing(
    postgresql_server: Postgresql, start_server: StartServer, tmp_path: Path, kind: str
) -> None:
    url = postgresql_server.start().url
    settings = {"DATABASE_URL": url, "STREAM_DRAIN": "1", "STREAM_JOURNAL": str(tmp_path / "journal")}
    server = start_server(kind, **settings)
    before = server.receive(5)
    postgresql_server.signal_all(signal.SIGSTOP)
    try:
        wait_until(lambda: server.health()["history"]["waiting"] >= 3)
        before += server.receive(3, f"?since={before[-1]['id']}")
        assert server.stop() == 0
        assert "Traceback" not in server.output
    finally:
        postgresql_server.signal_all(signal.SIGCONT)
    again = start_server(kind, **settings)
    after = again.receive(len(before) + 3, f"?since={before[0]['id']}")
    assert after[: len(before) - 1] == before[1:]
    assert_chain(after)


@pytest.mark.usefixtures("new_interpreters")
@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_connections_that_said_nothing_yet_hold_up_no_end(start_server: StartServer, kind: str) -> None:
    server = start_server(kind)
    with dial(server) as silent, dial(server) as half:
        half.sendall(b"GET / HTTP/1.1\r\nHost: 127")
        server.receive(1)  # so both have been accepted
        assert server.stop() == 0
        assert "Traceback" not in server.output
        assert (silent.recv(1), half.recv(1)) == (b"", b"")


def test_a_task_that_loses_a_cancellation_is_cancelled_again() -> None:
    """As redis-py's sending does before Python 3.12."""
    ended: list[str] = []

    async def lose_one() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("at the second")

    async def run() -> None:
        task = asyncio.create_task(lose_one())
        await asyncio.sleep(0)
        await end_tasks([task])
        assert task.cancelled()
        await end_tasks([])

    asyncio.run(run())
    assert ended == ["at the second"]
