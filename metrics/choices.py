"""Staff's choice of a source for each group: what may be chosen, and what holds until somebody chose."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from metrics.catalogue import Group


class SourceKind(StrEnum):
    """Where one group's values come from."""

    MOCK = "mock"
    REDIS = "redis"
    HOST = "host"


#: `host` can answer for the machine only.
KINDS: Mapping[Group, tuple[SourceKind, ...]] = {
    Group.SYSTEM: (SourceKind.MOCK, SourceKind.REDIS, SourceKind.HOST),
    Group.AI: (SourceKind.MOCK, SourceKind.REDIS),
    Group.PORTFOLIO: (SourceKind.MOCK, SourceKind.REDIS),
}


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """What staff chose for one group. `max_age_s`: a heartbeat older than this makes the values stale."""

    group: Group
    kind: SourceKind
    max_age_s: float = 30.0
    use_fallbacks: bool = False


Choices = Mapping[Group, SourceChoice]

#: What the first migration creates, and what holds until the database has answered once.
DEFAULT_CHOICES: Choices = {
    Group.SYSTEM: SourceChoice(Group.SYSTEM, SourceKind.HOST),
    Group.AI: SourceChoice(Group.AI, SourceKind.MOCK),
    Group.PORTFOLIO: SourceChoice(Group.PORTFOLIO, SourceKind.MOCK),
}
