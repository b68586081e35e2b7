"""Moves from SQLite to PostgreSQL."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from streaming.keeping.keeping_error import KeepingError
from streaming.keeping.moving import copy_database


class Command(BaseCommand):
    """`copy_database --from sqlite:///PATH [--to postgresql://…]`."""

    help = (
        "Copy everything from an SQLite database (or a backup of one) into an empty PostgreSQL, and compare each table "
        "row by row. Nothing else may use them meanwhile."
    )
    requires_system_checks = ()

    def get_version(self) -> str:
        """What `--version` prints: the dashboard's."""
        return str(settings.VERSION)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="source", required=True, metavar="URL", help="sqlite:////path/db.sqlite3")
        parser.add_argument(
            "--to",
            dest="target",
            metavar="URL",
            help="postgresql://user:password@host:port/name (default: DATABASE_URL)",
        )

    def handle(self, *args: Any, source: str, target: str | None, **options: Any) -> None:
        try:
            copy_database(source, target, self.stdout.write)
        except KeepingError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(self.style.SUCCESS("Copied. Start the dashboard with DATABASE_URL naming the new database."))
