"""Turns what somebody wrote into Redis into a metric's value, strictly: what is not clearly a number is none."""

import re

from metrics.catalogue import InvalidValueError, Metric

# Narrower than float(): no "nan", "inf", "1_000", digits of other scripts or hexadecimal.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
LONGEST = 64  # characters; longer than any number or text a metric can have
#: The same in bytes of UTF-8: whoever fetches one more than these knows that it is too big, however big it is.
MOST_BYTES = 4 * LONGEST


def parse_text(raw: bytes | str) -> str:
    """Return `raw` as a text without surrounding white space; raises InvalidValueError where it is not short UTF-8."""
    if len(raw) > MOST_BYTES:
        raise InvalidValueError(f"too big: more than {MOST_BYTES} bytes")
    try:
        return (raw.decode() if isinstance(raw, bytes) else raw).strip()
    except UnicodeDecodeError:
        raise InvalidValueError("not UTF-8") from None


def parse_number(raw: bytes | str) -> float | int:
    """Return the number that `raw` spells, an int where it is written as one.

    Raises InvalidValueError where it is anything else: empty, `nan`, `inf`, `12abc`, or longer than 64 characters.
    """
    text = parse_text(raw)
    if len(text) > LONGEST or not NUMBER.fullmatch(text):
        raise InvalidValueError(f"{text[:LONGEST]!r} is not a number")
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def parse_value(metric: Metric, raw: bytes | str) -> float | int | str:
    """Return the value of `metric` that `raw` spells; raises InvalidValueError where there is none."""
    return metric.accept(parse_number(raw) if metric.is_number else parse_text(raw))
