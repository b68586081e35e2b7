"""Backups with a date in their names: which name the next one has, and which old ones are deleted."""

import re
from datetime import UTC, datetime
from pathlib import Path

from streaming.keeping.keeping_error import KeepingError
from streaming.keeping.kinds import find_kind

#: What may stand for a part of the time (UTC) in a file's name, and how it looks there.
CODES = {"%Y": r"\d{4}", "%m": r"\d\d", "%d": r"\d\d", "%H": r"\d\d", "%M": r"\d\d", "%S": r"\d\d"}
#: How a file with all of them is called.
EXAMPLE = "quantum-%Y-%m-%dT%H%M%S.backup"


def has_date(pattern: Path) -> bool:
    """Whether the name has a part of the time in it."""
    return any(code in pattern.name for code in CODES)


def name_file(pattern: Path, now: datetime) -> Path:
    """`pattern` with the time in its name. Raises KeepingError where something else begins with % there."""
    unknown = re.sub("|".join(CODES), "", pattern.name)
    if "%" in unknown:
        raise KeepingError(f"{pattern.name!r}: only {' '.join(CODES)} stand for the time (UTC), as in {EXAMPLE}.")
    return pattern.with_name(now.strftime(pattern.name) if has_date(pattern) else pattern.name)


def find_backups(pattern: Path) -> list[Path]:
    """Backups whose names fit `pattern`, the newest first, by the time in their names; other files are none."""
    expression = re.escape(pattern.name)
    for code, digits in CODES.items():
        expression = expression.replace(re.escape(code), digits)
    found: list[tuple[datetime, Path]] = []
    for path in pattern.parent.iterdir():
        if re.fullmatch(expression, path.name) and path.is_file() and find_kind(path):
            try:
                found.append((datetime.strptime(path.name, pattern.name).replace(tzinfo=UTC), path))
            except ValueError:  # no such day
                continue
    return [path for _, path in sorted(found, reverse=True)]


def prune(pattern: Path, keep: int) -> list[Path]:
    """Delete all backups that fit `pattern` but the newest `keep`; which were deleted. Raises OSError."""
    old = find_backups(pattern)[keep:]
    for path in old:
        path.unlink()
    return old
