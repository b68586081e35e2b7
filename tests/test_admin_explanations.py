"""Why a value is not one, as staff are told."""

import time

import pytest

from metrics.admin.explanations import LONGEST_RAW, explain, show_raw
from metrics.catalogue import METRICS, Group, SourceKind
from metrics.reading import Problem, Reading
from metrics.sources.asker import RedisAnswers
from metrics.sources.redis import Answer, compose_reading, keys_of


def explain_redis(group: Group, **held: Answer) -> list[str]:
    """What is said of each problem, where Redis holds these keys (`ai__latency` is `ai:latency`)."""
    answers: dict[str, Answer] = {
        **dict.fromkeys(keys_of(group)),
        **{key.replace("__", ":"): answer for key, answer in held.items()},
    }
    reading = compose_reading(group, answers, now=time.time(), max_age_s=30)
    found = explain(group, SourceKind.REDIS, reading, RedisAnswers("redis://x", answers), 30)
    return [
        f"{each.label} {each.problem} {' '.join(each.keys)}={each.raw} {each.text} [{each.allowed}]" for each in found
    ]


def test_an_invalid_value_is_shown_with_its_key_and_what_is_allowed() -> None:
    found = explain_redis(Group.AI, ai__accuracy=b"1.7", ai__latency=b"12.5", ai__regime=b"\xff", ai__sharpe=b"1")
    assert found == [
        "Accuracy invalid ai:accuracy=1.7  [a number, 0 to 1]",
        "Latency invalid ai:latency=12.5  [a whole number, at least 0]",
        "Market regime invalid ai:regime=\\xff  [a text, up to 32 characters]",
    ]


def test_a_missing_value_is_told_with_every_key_that_was_tried() -> None:
    (found,) = explain_redis(Group.AI, ai__accuracy=b"0.7", ai__latency=b"12", ai__regime=b"bull")
    assert found == "Sharpe ratio missing ai:sharpe portfolio:sharpe=  [a number, any finite number]"


def test_stale_values_are_explained_by_their_heartbeat() -> None:
    values = {"ai__accuracy": b"0.7", "ai__latency": b"12", "ai__regime": b"bull", "ai__sharpe": b"1"}
    written = str(time.time() - 100).encode()
    (found,) = explain_redis(Group.AI, **values, ai__updated_at=written)
    assert found.startswith(f"Heartbeat stale ai:updated_at={written.decode()} written 1")
    assert found.endswith("s ago [Unix seconds, up to 30 s old]")
    (found,) = explain_redis(Group.AI, **values, ai__updated_at=b"yesterday")
    assert found.startswith("Heartbeat stale ai:updated_at=yesterday that is no time")
    (found,) = explain_redis(Group.AI, **values, ai__updated_at=str(time.time() + 7_300).encode())
    assert "written 2 h in the future" in found


def test_what_was_published_as_invalid_and_is_well_by_now_is_said_to_be() -> None:
    published = Reading({"latency": None}, {"latency": Problem.INVALID})
    answers: dict[str, Answer] = {**dict.fromkeys(keys_of(Group.AI)), "ai:latency": b"12"}
    (found,) = explain(Group.AI, SourceKind.REDIS, published, RedisAnswers("redis://x", answers), 30)
    assert (found.problem, found.raw, found.text) == ("invalid", "12", "by now it is well")


def test_a_redis_that_does_not_answer_is_said_once() -> None:
    reading = Reading.failed(Group.AI, Problem.UNREACHABLE)
    (found,) = explain(Group.AI, SourceKind.REDIS, reading, RedisAnswers("redis://x", why_not="it sleeps"), 30)
    assert found.text == "Redis at redis://x does not answer: it sleeps."


def test_what_this_host_cannot_know_is_said() -> None:
    reading = Reading({"containers": None}, {"containers": Problem.MISSING})
    (found,) = explain(Group.SYSTEM, SourceKind.HOST, reading, RedisAnswers("redis://x"), 30)
    assert found.label == METRICS["containers"].label
    assert "cannot be known from here" in found.text


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (None, ""),
        (b"", "''"),
        (b"1.5", "1.5"),
        (b"1\n2", "'1\\n2'"),
        (b"\xff", "\\xff"),
        (ValueError("WRONGTYPE"), "not a string (a list or a hash, say)"),
        (b"9" * 200, "9" * LONGEST_RAW + "… (200 bytes)"),
        (b"9" * 257, "9" * LONGEST_RAW + "… (too big: more than 256 bytes)"),
    ],
    ids=str,
)
def test_what_a_key_holds_is_shown_as_it_is_and_never_long(answer: Answer, shown: str) -> None:
    assert show_raw(answer) == shown
