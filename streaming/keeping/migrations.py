"""Whether a backup is of a release that this one knows."""

from collections.abc import Iterable
from typing import NamedTuple

from django.db.migrations.loader import MigrationLoader

from streaming.keeping.keeping_error import KeepingError

#: Whose migrations are the dashboard's own.
OURS = ("metrics", "access", "alerts")


class Migration(NamedTuple):
    """A change of the tables that was made."""

    app: str
    name: str


def refuse_newer(made: Iterable[Migration]) -> None:
    """Raises KeepingError where a migration was made that this release has not got."""
    known = set(MigrationLoader(None).disk_migrations)
    newer = sorted(f"{app}.{name}" for app, name in made if app in OURS and (app, name) not in known)
    if newer:
        raise KeepingError(f"It is of a newer release (it has {newer[-1]}): upgrade the dashboard first.")
