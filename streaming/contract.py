"""The wire contract, as a check that anybody can run against any server."""

import json
from collections.abc import Collection
from typing import Any

from metrics.catalogue import CATALOGUE, LARGEST_INTEGER, Group, InvalidValueError, SourceKind, metrics_of
from metrics.reading import Problem
from metrics.snapshot import KEYS, format_time

#: What a client decoded; nothing is known of what is in it.
DecodedMessage = dict[str, Any]
LONGEST_INTERVAL_S = 86_400
#: The key of the first message after a hole that could not be filled for this client, or after a fork: it does not
#: continue what the client has. Others have not got it.
MISSED = "missed"
LATEST = 253_402_300_799.0  # the end of the year 9999, the last that ISO 8601 writes in four digits


def find_violations(text: str, before: DecodedMessage | None = None) -> tuple[DecodedMessage, list[str]]:
    """Return a message decoded and everything in it that breaks the contract, one sentence each.

    `before` is the message that came before it on the same connection. What cannot be decoded is returned as {}.
    """
    try:
        message = json.loads(text, parse_constant=refuse_constant)
    except ValueError as error:
        return {}, [f"not JSON: {error}"]
    if not isinstance(message, dict):
        return {}, ["not a JSON object"]
    if missing := [key for key in KEYS if key not in message]:
        return message, [f"no key {key!r}" for key in missing]
    violations = []
    known = [*KEYS, MISSED]
    if [key for key in message if key in known] != known[: len(KEYS) + (MISSED in message)]:
        violations.append(f"keys are not in the order {', '.join(known)}")
    violations += [f"unknown key {key!r}" for key in message if key not in known]
    violations += check_time(message)
    violations += check_place(message) or check_missed(message) or (check_sequence(message, before) if before else [])
    violations += check_provenance(message) or check_values(message)
    return message, violations


def find_remarks(message: DecodedMessage, before: DecodedMessage | None = None) -> list[str]:
    """Return what is worth a word in a message that breaks nothing, one sentence each: holes and clocks.

    A client that is told of a hole, a publisher that does not know what came before, a clock that was set: none of them
    breaks the contract, which is that they are told. `before` as in `find_violations`.
    """
    remarks = []
    if missed := message.get(MISSED):
        if message["previous"] is not None and message["previous"] < missed["after"]:
            said = f"told fork: {missed['before']} follows {message['previous']}, not {missed['after']}"
        else:
            said = f"told hole: what came between {missed['after']} and {missed['before']} is not kept any more"
        remarks.append(said)
    if before is None:
        return remarks
    if message["previous"] is None:
        remarks.append(f"break: the publisher did not know what came before; {before.get('id')} was received last")
    since: Any = before.get("timestamp")
    if not missed and is_number(since) and 0 <= since <= LATEST:
        step, interval = message["timestamp"] - since, message["interval"]
        if step < 0:
            remarks.append(f"clock: set back, {-step:.3f} s before the one before")
        elif abs(step - interval) > max(0.5 * interval, 0.25):
            remarks.append(f"spacing: {step:.3f} s after the one before, at an interval of {interval:g} s")
    return remarks


def refuse_constant(name: str) -> None:
    """Python reads NaN and Infinity as JSON; nobody else does."""
    raise ValueError(f"{name} is no JSON value")


def is_known(value: object, known: Collection[str]) -> bool:
    return isinstance(value, str) and value in known


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_id(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_INTEGER


def check_time(message: DecodedMessage) -> list[str]:
    """The times' types and agreement."""
    timestamp, interval = message["timestamp"], message["interval"]
    if not is_number(timestamp):
        return [f"timestamp is {timestamp!r}, not a number"]
    if not 0 <= timestamp <= LATEST:
        return [f"timestamp is {timestamp!r}, not a time between 1970 and 9999 in Unix seconds"]
    violations = []
    if round(timestamp, 3) != timestamp:
        violations.append(f"timestamp {timestamp!r} has more than milliseconds")
    if message["datetime"] != format_time(timestamp):
        violations.append(f"datetime {message['datetime']!r} is not the timestamp's {format_time(timestamp)!r}")
    if not is_number(interval) or not 0 < interval <= LONGEST_INTERVAL_S:
        violations.append(f"interval is {interval!r}, not a number of seconds")
    return violations


def check_place(message: DecodedMessage) -> list[str]:
    """The place in the sequence: `id` and `previous`."""
    own, previous = message["id"], message["previous"]
    if not is_id(own):
        return [f"id is {own!r}, not a whole number"]
    if previous is not None and not (is_id(previous) and previous < own):
        return [f"previous is {previous!r}, not a lower id or null"]
    return []


def check_missed(message: DecodedMessage) -> list[str]:
    """That what is told of a hole or a fork is its two ends, and that there is one."""
    if MISSED not in message:
        return []
    missed, previous = message[MISSED], message["previous"]
    if not isinstance(missed, dict) or list(missed) != ["after", "before"] or not all(map(is_id, missed.values())):
        return [f"missed is {missed!r}, not two ids, after and before"]
    if missed["before"] != message["id"] or not missed["after"] < missed["before"]:
        return [f"missed is {missed!r}, not from a lower id to this one, {message['id']}"]
    if previous == missed["after"]:
        return [f"missed is {missed!r}, but previous is {previous}: nothing came between"]
    return []


def check_sequence(message: DecodedMessage, before: DecodedMessage) -> list[str]:
    """Order and gaps. A hole that is told is none, nor is a break (`previous` is null): see find_remarks."""
    last = before.get("id")
    if not is_id(last):
        return []
    if message["id"] <= last:
        return [f"id {message['id']} is not after {last}"]
    if (told := message.get(MISSED)) and told["after"] != last:
        return [f"missed begins after {told['after']}, but {last} was received last"]
    if not told and message["previous"] not in {None, last}:
        return [f"gap: previous is {message['previous']}, but {last} was received last"]
    return []


def check_provenance(message: DecodedMessage) -> list[str]:
    """Sources, problems and observed."""
    sources, problems, observed = message["sources"], message["problems"], message["observed"]
    if not all(isinstance(part, dict) for part in (sources, problems, observed)):
        return ["sources, problems and observed are not all objects"]
    keys = {metric.key for metric in CATALOGUE}
    violations = []
    needed = {group for group in Group if not is_before_its_time(message, group)}
    if not sources or not needed <= set(sources) <= set(Group):
        violations.append(f"sources is {sources!r}, not those of {', '.join(sorted(needed))}")
    if not all(is_known(kind, set(SourceKind)) for kind in sources.values()):
        violations.append(f"sources is {sources!r}, not one of {', '.join(SourceKind)} for each group")
    if not set(problems) <= keys or not all(is_known(problem, set(Problem)) for problem in problems.values()):
        violations.append(f"problems is {problems!r}, not metrics with one of {', '.join(Problem)}")
    if not set(observed) <= set(Group) or not all(map(is_number, observed.values())):
        violations.append(f"observed is {observed!r}, not groups with Unix seconds")
    return violations


def is_before_its_time(message: DecodedMessage, group: Group) -> bool:
    """Whether nothing is known of `group`, as in a snapshot from before it existed: then it may have no source."""
    keys = [metric.key for metric in metrics_of(group)]
    return group not in message["observed"] and all(
        message[key] is None and message["problems"].get(key) == Problem.MISSING for key in keys
    )


def check_values(message: DecodedMessage) -> list[str]:
    """Each metric's type and range, and that null has a reason."""
    violations = []
    for metric in CATALOGUE:
        value = message[metric.key]
        if value is None:
            if message["problems"].get(metric.key) in {None, Problem.STALE}:
                violations.append(f"{metric.key} is null without a reason")
            continue
        try:
            accepted = metric.accept(value)
        except (InvalidValueError, TypeError, OverflowError) as error:
            violations.append(f"{metric.key}: {error}")
            continue
        if accepted != value or (metric.type is int and not isinstance(value, int)):
            violations.append(f"{metric.key} is {value!r}, not {accepted!r}")
    return violations
