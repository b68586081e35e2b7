"""How far people look back: the page's ranges, which the admin offers, too."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """A length of time to look back over: `key` in addresses, `label` for people."""

    key: str
    label: str
    seconds: int


RANGES = (
    Range("5m", "5 min", 300),
    Range("1h", "1 h", 3600),
    Range("6h", "6 h", 21_600),
    Range("24h", "24 h", 86_400),
    Range("7d", "7 d", 604_800),
)
