"""The gate: whom it remembers, when it asks again, and what it does while the database does not answer."""

import asyncio
import gc
import threading
from collections.abc import Callable, Collection, Coroutine
from typing import Any

import pytest
from django.db import OperationalError

from access import gate as gate_module
from access.credentials import Credential, read_credential
from access.gate import Gate
from access.mode import Mode, decide_mode
from access.viewer import Admission, RefusedError, Viewer

SESSION = Credential("session", "k" * 32)
OTHER = Credential("session", "o" * 32)


class Database:
    """What `look_up` would find, and how often it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.valid = {SESSION: "user:1", OTHER: "user:2"}
        self.asked = 0
        self.error: Exception | None = None
        self.before_answer: Callable[[], None] = lambda: None
        monkeypatch.setattr(gate_module, "look_up", self.look_up)

    def look_up(self, credentials: Collection[Credential]) -> dict[Credential, Admission | RefusedError]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        found = {
            credential: Admission(Viewer("somebody", self.valid[credential]), frozenset({self.valid[credential]}))
            if credential in self.valid
            else RefusedError(401, "sign in again")
            for credential in credentials
        }
        self.before_answer()
        return found


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr("metrics.kept_connection.find_sqlite_file", lambda: None)  # that there is none is no fault here
    return Database(monkeypatch)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 20))


def test_the_database_is_asked_once_for_all_connections_of_somebody(database: Database) -> None:
    async def scenario() -> None:
        gate = Gate()
        admissions = [await gate.admit(SESSION) for _ in range(100)]
        assert len({id(admission) for admission in admissions}) == 1
        assert database.asked == 1

    run(scenario())


def test_what_changes_while_somebody_is_let_in_is_seen(database: Database) -> None:
    """The change is read too late, and announced too early: the gate must ask again."""

    async def scenario() -> None:
        gate, loop = Gate(), asyncio.get_running_loop()
        has_looked = threading.Event()

        def revoke() -> None:
            database.before_answer = lambda: None
            database.valid.clear()
            asyncio.run_coroutine_threadsafe(gate.look_again(["user:1"]), loop).add_done_callback(
                lambda _: has_looked.set()
            )
            assert has_looked.wait(10)

        database.before_answer = revoke
        with pytest.raises(RefusedError, match="sign in again"):
            await gate.admit(SESSION)

    run(scenario())


def test_only_those_are_asked_for_again_whom_a_change_concerns(database: Database) -> None:
    async def scenario() -> None:
        gate = Gate()
        mine, other = await gate.admit(SESSION), await gate.admit(OTHER)
        del database.valid[SESSION], database.valid[OTHER]
        ended = await gate.look_again(["user:1"])
        assert [(admission, refusal.status) for admission, refusal in ended] == [(mine, 401)]
        assert mine.is_over
        assert not other.is_over
        assert [admission for admission, _ in await gate.look_again(None)] == [other]

    run(scenario())


def test_while_the_database_is_away_who_is_in_stays_in_and_nobody_else_gets_in(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        gate = Gate()
        admission = await gate.admit(SESSION)
        database.error = OperationalError("away")
        assert await gate.admit(SESSION) is admission
        for _ in range(3):
            with pytest.raises(RefusedError) as refused:
                await gate.admit(OTHER)
            assert refused.value.status == 503
            with pytest.raises(RefusedError):
                await gate.look_again(None)
        assert not admission.is_over
        database.error = None
        assert await gate.look_again(None) == []
        await gate.admit(OTHER)

    run(scenario())
    assert caplog.text.count("does not tell who may look (away)") == 1


def test_an_admission_ends_when_it_expires(database: Database) -> None:
    async def scenario() -> None:
        now = [100.0]
        gate = Gate(wall=lambda: now[0])
        admission = await gate.admit(SESSION)
        admission.expires_at = 110.0
        assert gate.expire() == []
        now[0] = 110.0
        assert [ended for ended, _ in gate.expire()] == [admission]
        assert gate.expire() == []
        assert await gate.admit(SESSION) is not admission

    run(scenario())


def test_who_has_no_connection_is_forgotten_after_a_while(database: Database) -> None:
    async def scenario() -> None:
        now = [100.0]
        gate = Gate(wall=lambda: now[0])
        connected = await gate.admit(SESSION)
        await gate.admit(OTHER)
        now[0] += 61
        await gate.look_again(None)
        gc.collect()
        database.asked = 0
        assert await gate.admit(SESSION) is connected
        assert database.asked == 0
        await gate.admit(OTHER)
        assert database.asked == 1
        now[0] += 61
        await gate.look_again(None)
        gc.collect()
        assert gate.has_admitted.is_set()  # one has a connection
        del connected
        gc.collect()
        await gate.look_again(None)
        assert not gate.has_admitted.is_set()
        await gate.admit(SESSION)
        assert gate.has_admitted.is_set()

    run(scenario())


@pytest.mark.parametrize(
    ("chosen", "hosts", "mode"),
    [
        (None, ["localhost", "127.0.0.1", "[::1]"], Mode.OPEN),
        (None, ["localhost", "desk.example"], Mode.LOGIN),
        (None, ["*"], Mode.LOGIN),
        ("open", ["desk.example"], Mode.OPEN),
        ("login", ["localhost"], Mode.LOGIN),
    ],
)
def test_access_is_open_by_itself_only_where_nobody_else_gets(chosen: str | None, hosts: list[str], mode: Mode) -> None:
    assert decide_mode(chosen, hosts)[0] is mode


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ([(b"authorization", b"Basic YWRtaW46eA==")], b""),
        ([(b"authorization", b"Bearer other_token")], b""),
        ([(b"authorization", b"Bearer qtd_" + b"x" * 500)], b""),
        ([(b"authorization", b"\xff\xfe")], b""),
        ([], b"token=qtd_x"),
        ([], b"since=1&access_token=x"),
        ([], b"anything=qtd_abc"),
    ],
)
def test_what_cannot_be_a_credential_is_refused_with_what_to_do(
    headers: list[tuple[bytes, bytes]], query: bytes
) -> None:
    with pytest.raises(RefusedError) as refused:
        read_credential(headers, query)
    assert refused.value.status == 400
    assert "Bearer" in str(refused.value)
    assert len(str(refused.value).encode()) <= 120


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"cookie", b"sessionid=")],
        [(b"cookie", b"\xff\x00=;;;=")],
        [(b"cookie", b"sessionid=" + b"x" * 1000)],
        [(b"sec-websocket-protocol", b"bearer.other, chat")],
        [(b"sec-websocket-protocol", b"bearer.qtd_" + b"x" * 1000)],
    ],
)
def test_what_says_nothing_is_nobody(headers: list[tuple[bytes, bytes]]) -> None:
    assert read_credential(headers, b"since=17&token_like=1") is None
