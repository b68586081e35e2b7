"""Asking every source beside the publisher: real Redis, hanging Redis, a stuck thread."""

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from metrics.catalogue import Group, SourceKind
from metrics.choices import DEFAULT_CHOICES
from metrics.reading import Problem
from metrics.sources import asker as asker_module
from metrics.sources.asker import Asker, SourceAnswers
from metrics.sources.redis import Answer
from tests.processes import Redis


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis")).start()
    yield redis
    redis.send(signal.SIGCONT)
    redis.stop()


def ask(asker: Asker, *kinds: SourceKind) -> SourceAnswers:
    return asker.ask(kinds or tuple(SourceKind), DEFAULT_CHOICES, time.time())


def test_every_source_says_what_it_would_say(redis: Redis) -> None:
    redis.set(ai__accuracy="0.91", ai__latency="88")
    answers = ask(Asker(redis.url))
    assert answers.readings[SourceKind.REDIS][Group.AI].values["accuracy"] == 0.91
    assert answers.redis.answers["ai:latency"] == b"88"
    assert set(answers.readings[SourceKind.MOCK]) == set(Group)
    ram = answers.readings[SourceKind.HOST][Group.SYSTEM].values["ram"]
    assert isinstance(ram, float)
    assert 0 < ram <= 100


def test_only_those_that_are_asked_for_are_asked() -> None:
    answers = ask(Asker("redis://127.0.0.1:1/0"), SourceKind.MOCK)
    assert answers.readings[SourceKind.REDIS] == answers.readings[SourceKind.HOST] == {}
    assert answers.redis.why_not is None


def test_where_redis_is_not_is_said_with_the_reason() -> None:
    answers = ask(Asker("redis://user:s3cret-word@127.0.0.1:1/0"), SourceKind.REDIS)
    assert set(answers.readings[SourceKind.REDIS][Group.AI].problems.values()) == {Problem.UNREACHABLE}
    assert answers.redis.address == "redis://127.0.0.1:1/0"
    assert answers.redis.why_not
    assert "s3cret-word" not in str(answers)


def test_a_redis_that_hangs_is_asked_once_however_many_look(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    asker = Asker(redis.url)
    asked = 0
    fetch = asker._redis.fetch

    async def count(*words: object) -> dict[str, Answer]:
        nonlocal asked
        asked += 1
        return await fetch(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(asker._redis, "fetch", count)
    redis.send(signal.SIGSTOP)
    try:
        found: list[SourceAnswers] = []
        people = [threading.Thread(target=lambda: found.append(ask(asker, SourceKind.REDIS))) for _ in range(8)]
        for person in people:
            person.start()
        for person in people:
            person.join()
    finally:
        redis.send(signal.SIGCONT)
    assert len(found) == 8
    assert all(answers.redis.why_not for answers in found)
    assert asked < 8


def test_a_thread_that_is_stuck_holds_nobody_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asker_module, "PATIENCE_S", 0.05)
    asker = Asker("redis://127.0.0.1:1/0")
    released = threading.Event()
    asker._running_loop().call_soon_threadsafe(released.wait)
    try:
        answers = ask(asker)
    finally:
        released.set()
    assert answers.redis.why_not == "nothing was asked in time"
    assert set(answers.readings[SourceKind.HOST][Group.SYSTEM].problems.values()) == {Problem.UNREACHABLE}
