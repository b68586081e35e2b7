"""What limits logins: hashing a few at a time, as much of it for everybody, addresses behind proxies, shared counts."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import RequestFactory
from django.utils import timezone

from access.lookup import note_used
from access.people.adapter import describe_wait, find_address
from access.people.counts import SharedCounts
from access.people.hashing import AT_ONCE, PooledPBKDF2
from access.people.sessions import BEGAN, SessionStore, find_end
from tests.processes import Redis, wait_until


def test_a_process_hashes_a_few_passwords_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, most, may_end = [0], [0], threading.Event()
    lock = threading.Lock()

    def encode(*_: Any) -> str:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        may_end.wait(20)
        with lock:
            busy[0] -= 1
        return "hashed"

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", encode)
    with ThreadPoolExecutor(10) as pool:
        hashed = [pool.submit(PooledPBKDF2().encode, "password", "salt") for _ in range(10)]
        wait_until(lambda: busy[0] == AT_ONCE)
        may_end.set()
    assert [each.result() for each in hashed] == ["hashed"] * 10
    assert most == [AT_ONCE]


@pytest.mark.django_db
def test_every_login_costs_one_hash_whoever_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []
    encode = PBKDF2PasswordHasher.encode

    def count(self: Any, password: str, salt: str, iterations: int | None = None) -> str:
        hashed.append(iterations)
        return encode(self, password, salt, iterations)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", count)
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 10)
    for name in ("known", "left", "elsewhere"):
        User.objects.create_user(name, password="a password", is_active=name != "left")
    User.objects.filter(username="elsewhere").update(password="!")  # who comes by single sign-on has none
    costs = []
    for name in ("known", "left", "elsewhere", "unknown"):
        hashed.clear()
        assert authenticate(None, username=name, password="wrong") is None
        costs.append(len(hashed))
    assert costs == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, None, "192.0.2.9"),
        (0, "10.0.0.1", "192.0.2.9"),  # a client may write what it likes
        (1, "10.0.0.1", "10.0.0.1"),
        (1, "6.6.6.6, 10.0.0.1", "10.0.0.1"),
        (2, "6.6.6.6, 10.0.0.1, 172.16.0.1", "10.0.0.1"),
        (2, "10.0.0.1", "192.0.2.9"),  # past the proxies
        (1, None, "192.0.2.9"),
        (1, "nonsense", "192.0.2.9"),
    ],
)
def test_the_address_is_what_the_outermost_trusted_proxy_saw(
    settings: Any, proxies: int, forwarded: str | None, address: str
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert find_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR="192.0.2.9")) == address


def test_how_long_to_wait_is_said_as_people_say_it() -> None:
    assert [describe_wait(seconds) for seconds in (1, 40, 300, 299)] == [
        "in 1 second",
        "in 40 seconds",
        "in 5 minutes",
        "in 5 minutes",
    ]


def test_a_process_counts_for_itself_while_redis_is_away(tmp_path: Path) -> None:
    redis = Redis(tmp_path).start()
    params = {"OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1}}
    one, other = SharedCounts(redis.url, dict(params)), SharedCounts(redis.url, dict(params))
    one.set("failed", [1.0])
    assert other.get("failed") == [1.0]
    redis.stop()
    assert one.get("failed", []) == []
    assert one.add("failed", [2.0])
    assert not one.add("failed", [3.0])
    assert one.get("failed") == [2.0]
    one.delete("failed")
    assert one.get("failed") is None


def test_a_session_ends_when_idle_and_at_the_latest_when_its_time_is_over() -> None:
    now = timezone.now()
    idle, lifetime = settings.SESSION_IDLE, settings.SESSION_LIFETIME
    assert find_end({}) - now >= idle
    assert find_end({BEGAN: now.timestamp()}) - now >= idle
    began = now - lifetime + timedelta(minutes=5)
    assert find_end({BEGAN: began.timestamp()}) == datetime.fromtimestamp(began.timestamp(), UTC) + lifetime


@pytest.mark.django_db
def test_an_open_stream_uses_its_session() -> None:
    store = SessionStore()
    store[BEGAN] = int(timezone.now().timestamp())
    store.create()
    assert store.session_key
    soon = timezone.now() + timedelta(minutes=3)
    Session.objects.filter(session_key=store.session_key).update(expire_date=soon)
    note_used([], [store.session_key])
    assert Session.objects.get(session_key=store.session_key).expire_date > soon + timedelta(hours=1)
    Session.objects.filter(session_key=store.session_key).update(expire_date=timezone.now() - timedelta(seconds=1))
    note_used([], [store.session_key])  # what has ended stays ended
    assert Session.objects.get(session_key=store.session_key).expire_date < timezone.now()
