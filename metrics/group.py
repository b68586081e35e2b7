"""What metrics are about, and where values come from: staff choose one source for each group."""

from enum import StrEnum


class SourceKind(StrEnum):
    """Where one group's values come from."""

    MOCK = "mock"
    REDIS = "redis"
    HOST = "host"


#: The sources that can answer for any metric.
ANY_METRIC = (SourceKind.MOCK, SourceKind.REDIS)


class Group(StrEnum):
    """What a metric is about; staff choose one source per group.

    A line here declares a group: its key, the name that people read, its place on the page (the lowest is what a trader
    looks at first; without one it comes last), the sources that can answer for it, and the one that does until staff
    choose. The message has the groups in the order of the lines, so that a new one stands at the end.
    """

    label: str
    page_place: int
    kinds: tuple[SourceKind, ...]
    first_kind: SourceKind

    SYSTEM = "system", "System", 3, (*ANY_METRIC, SourceKind.HOST), SourceKind.HOST
    AI = "ai", "AI", 2
    PORTFOLIO = "portfolio", "Portfolio", 1

    def __new__(
        cls,
        key: str,
        label: str = "",
        page_place: int = 1000,
        kinds: tuple[SourceKind, ...] = ANY_METRIC,
        first_kind: SourceKind = SourceKind.MOCK,
    ) -> "Group":
        group = str.__new__(cls, key)
        group._value_ = key
        group.label, group.page_place = label or key.capitalize(), page_place
        group.kinds, group.first_kind = kinds, first_kind
        return group

    @property
    def source_column(self) -> str:
        """The column that keeps where its values came from, in the database and in CSV."""
        return f"source_{self}"
