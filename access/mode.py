"""Whether anybody may look, or only those who are known."""

from collections.abc import Iterable
from enum import StrEnum

#: Names by which a machine is reached from itself only.
OWN_NAMES = frozenset({"localhost", ".localhost", "127.0.0.1", "[::1]", "::1"})


class Mode(StrEnum):
    """What the setting ACCESS says."""

    OPEN = "open"
    LOGIN = "login"


def decide_mode(chosen: str | None, allowed_hosts: Iterable[str]) -> tuple[Mode, str]:
    """The mode, and why, for people: `chosen` where it is set, else open only while nobody else can get here.

    Raises ValueError where `chosen` is neither.
    """
    others = sorted(set(allowed_hosts) - OWN_NAMES)
    if chosen:
        return Mode(chosen), "as ACCESS says"
    if others:
        return Mode.LOGIN, f"ALLOWED_HOSTS names {', '.join(others)}; ACCESS=open lets in anybody who gets there"
    return Mode.OPEN, "ALLOWED_HOSTS names this machine only; ACCESS=login asks for a login"
