"""Django's `migrate`, one at a time for each database."""

import sys
from typing import Any

from django.core.management.commands.migrate import Command as DjangosCommand
from django.db import OperationalError

from metrics.database_errors import explain_database_error
from streaming.management.alone import alone


class Command(DjangosCommand):
    """Several servers may start at once on an empty database, and an upgrade run on each of several machines."""

    def run_from_argv(self, argv: list[str]) -> None:
        """From the command line: a database that is away is a message, not a traceback."""
        try:
            super().run_from_argv(argv)
        except (OperationalError, OSError) as error:
            sys.exit(f"The database cannot be migrated: {explain_database_error(error)}.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate as soon as nobody else does."""
        with alone():
            super().handle(*args, **options)
