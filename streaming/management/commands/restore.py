"""Restores a backup."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from metrics.database_errors import explain_database_error
from streaming.keeping.keeping_error import KeepingError
from streaming.keeping.restore import explain_sequence, restore

REMIND = (
    "What was switched, made or revoked since then is as it was: look at users, tokens and share links before you "
    "start the dashboard."
)


class Command(BaseCommand):
    """`restore FILE [--replace]`."""

    help = "Restore what `backup` has written, while the dashboard is stopped."
    requires_system_checks = ()

    def get_version(self) -> str:
        """What `--version` prints: the dashboard's."""
        return str(settings.VERSION)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="what `backup` has written")
        parser.add_argument("--replace", action="store_true", help="put it in the place of the database that is there")

    def handle(self, *args: Any, file: str, replace: bool, **options: Any) -> None:
        try:
            kept = restore(Path(file).absolute(), replaces=replace)
        except KeepingError as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(f"The database: {explain_database_error(error)}.") from None
        self.stdout.write(f"Restored: {kept.describe()}")
        self.stdout.write(explain_sequence(kept.chain.last))
        self.stdout.write(REMIND)
