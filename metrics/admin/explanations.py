"""Why a metric has no value of its own, for staff who can mend it: the key, what it holds, what is allowed."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from metrics.admin.ages import describe_ago
from metrics.catalogue import METRICS, Group, InvalidValueError, Metric, SourceKind
from metrics.parsing import MOST_BYTES
from metrics.reading import Problem, Reading
from metrics.sources.asker import RedisAnswers
from metrics.sources.redis import Answer, find_key, heartbeat_key, pick_value

#: The longest part of what a key holds that is shown, in characters.
LONGEST_RAW = 64


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is wrong with one metric (or, without a `label`, with the whole source).

    `raw` is what Redis holds at the first of `keys`; without it, none of them exists.
    """

    label: str
    problem: str
    text: str = ""
    keys: tuple[str, ...] = ()
    raw: str = ""
    allowed: str = ""


def explain(
    group: Group, kind: SourceKind, reading: Reading, redis: RedisAnswers, max_age_s: float
) -> list[Explanation]:
    """One explanation per problem of `reading`; what the whole source has in common is said once."""
    if kind is not SourceKind.REDIS:
        return list(explain_host(reading.problems))
    if redis.why_not is not None and reading.problems:
        why = f"Redis at {redis.address} does not answer: {redis.why_not}."
        return [Explanation("", Problem.UNREACHABLE, why)]
    found = list(explain_keys(reading.problems, redis.answers))
    if Problem.STALE in reading.problems.values():
        found.insert(0, explain_heartbeat(heartbeat_key(group), redis.answers, max_age_s))
    return found


def explain_host(problems: Mapping[str, Problem]) -> Iterator[Explanation]:
    """A problem of what this host measures itself."""
    texts = {
        Problem.MISSING: "it cannot be known from here, inside a container, say",
        Problem.UNREACHABLE: "the measurement failed or took too long",
    }
    for key, problem in problems.items():
        yield Explanation(METRICS[key].label, problem, texts.get(problem, ""), allowed=describe_allowed(METRICS[key]))


def explain_keys(problems: Mapping[str, Problem], answers: Mapping[str, Answer]) -> Iterator[Explanation]:
    """What Redis holds now where a value was missing, invalid or unreachable."""
    for name, problem in problems.items():
        metric = METRICS[name]
        if problem is Problem.STALE or not answers:
            continue
        key = find_key(metric, answers)
        keys = metric.redis_keys if answers[key] is None else (key,)
        text = "by now it is well" if is_valid(metric, answers) else ""
        yield Explanation(metric.label, problem, text, keys, show_raw(answers[key]), describe_allowed(metric))


def is_valid(metric: Metric, answers: Mapping[str, Answer]) -> bool:
    """Whether Redis holds a value that the metric can have."""
    try:
        return pick_value(metric, answers) is not None
    except InvalidValueError:
        return False


def describe_allowed(metric: Metric) -> str:
    """What a metric's value must be: `a whole number, at least 0`."""
    what = "a text" if metric.type is str else "a whole number" if metric.type is int else "a number"
    return f"{what}, {metric.range_text}"


def explain_heartbeat(key: str, answers: Mapping[str, Answer], max_age_s: float) -> Explanation:
    """Why all values of a group are stale: what its heartbeat says."""
    raw = show_raw(answers.get(key))
    try:
        text = f"written {describe_ago(time.time() - float(raw))}"
    except ValueError:
        text = "that is no time"
    return Explanation("Heartbeat", Problem.STALE, text, (key,), raw, f"Unix seconds, up to {max_age_s:g} s old")


def show_raw(answer: Answer) -> str:
    """What a key holds, to be read; nothing where it does not exist."""
    if answer is None:
        return ""
    if isinstance(answer, Exception):
        return "not a string (a list or a hash, say)"
    text = answer.decode(errors="backslashreplace")
    shown = text if text.isprintable() and text else repr(text)
    if len(answer) > MOST_BYTES:  # no more of it was fetched
        return f"{shown[:LONGEST_RAW]}… (too big: more than {MOST_BYTES} bytes)"
    return shown if len(shown) <= LONGEST_RAW else f"{shown[:LONGEST_RAW]}… ({len(answer)} bytes)"
