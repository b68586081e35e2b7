"""Sessions that have ended are deleted: piece by piece, beside everything else, and no others."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone

from access import gate as gate_module
from access.gate import Gate
from access.people.sessions import PURGED_AT_ONCE, purge_some
from streaming.delivery import doorkeeper as doorkeeper_module
from streaming.delivery.doorkeeper import Doorkeeper
from streaming.publishing.local_layer import LocalChannelLayer
from tests.hubs import make_hub


def make_sessions(prefix: str, count: int, ends_in: timedelta) -> None:
    user = get_user_model().objects.get_or_create(username="somebody")[0]
    end = timezone.now() + ends_in
    keys = [f"{prefix}{number}" for number in range(count)]
    Session.objects.bulk_create(Session(session_key=key, session_data="", expire_date=end) for key in keys)
    UserSession.objects.bulk_create(
        UserSession(user=user, session_key=key, ip="127.0.0.1", user_agent="", data={}) for key in keys
    )


@pytest.mark.django_db
def test_those_that_have_ended_go_in_pieces_and_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    announced: list[Any] = []
    make_sessions("ended", 2 * PURGED_AT_ONCE + 1, timedelta(seconds=-1))
    make_sessions("open", 3, timedelta(hours=1))
    monkeypatch.setattr("access.announcing.announce", announced.append)
    assert [purge_some() for _ in range(4)] == [PURGED_AT_ONCE, PURGED_AT_ONCE, 1, 0]
    assert Session.objects.count() == UserSession.objects.count() == 3
    assert announced == []


async def until(claim: Callable[[], bool]) -> None:
    for _ in range(60_000):
        if claim():
            return
        await asyncio.sleep(0.001)
    pytest.fail("not within a minute")


@pytest.mark.django_db  # a process without a database does nothing
def test_a_process_does_it_by_itself_and_lets_others_ask_between_two_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [200, 200, 7, 0]
    done: list[str] = []
    monkeypatch.setattr(gate_module, "purge_some", lambda: done.append("purged") or pieces.pop(0) if pieces else 0)
    monkeypatch.setattr(doorkeeper_module, "PURGE_EVERY_S", 0.01)

    async def scenario() -> None:
        gate = Gate()
        purging = asyncio.create_task(Doorkeeper(make_hub(), gate).run(LocalChannelLayer()))
        await until(lambda: "purged" in done)
        await gate._thread.ask(lambda: done.append("asked"))
        await until(lambda: not pieces)
        purging.cancel()
        await asyncio.wait([purging])
        gate.close()

    asyncio.run(asyncio.wait_for(scenario(), 60))
    assert done.index("asked") < len(done) - 1
