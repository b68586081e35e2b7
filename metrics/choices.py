"""Staff's choice of a source for each group, and what holds until somebody chose."""

from collections.abc import Mapping
from dataclasses import dataclass

from metrics.catalogue import Group, SourceKind


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """What staff chose for one group. `max_age_s`: a heartbeat older than this makes the values stale."""

    group: Group
    kind: SourceKind
    max_age_s: float = 30.0
    use_fallbacks: bool = False


Choices = Mapping[Group, SourceChoice]

#: What holds until the database has answered once.
DEFAULT_CHOICES: Choices = {group: SourceChoice(group, group.first_kind) for group in Group}
