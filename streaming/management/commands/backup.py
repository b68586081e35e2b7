"""Backs up the database while the dashboard runs."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from metrics.database_errors import explain_database_error
from streaming.keeping.backup import back_up
from streaming.keeping.keeping_error import KeepingError
from streaming.keeping.retention import EXAMPLE, has_date, name_file, prune


class Command(BaseCommand):
    """`backup FILE [--keep N]`."""

    help = (
        "Back up the database (history, users, staff's settings) into a new file, while the dashboard runs, and "
        "compare the file with it. Settings in the environment or .env are not in it: keep SECRET_KEY elsewhere."
    )
    requires_system_checks = ()

    def get_version(self) -> str:
        """What `--version` prints: the dashboard's."""
        return str(settings.VERSION)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", help=f"where to; the time (UTC) may be part of the name: {EXAMPLE}".replace("%", "%%")
        )
        parser.add_argument("--keep", type=int, metavar="N", help="then delete such backups but the newest N")

    def handle(self, *args: Any, file: str, keep: int | None, **options: Any) -> None:
        pattern = Path(file).absolute()
        if keep is not None and keep < 1:
            raise CommandError("--keep must be 1 or more.")
        if keep is not None and not has_date(pattern):
            raise CommandError(f"--keep needs the time in the file's name, to know what is old: {EXAMPLE}")
        try:
            path = name_file(pattern, datetime.now(UTC))
            kept = back_up(path)
            self.stdout.write(f"{path}: {path.stat().st_size / 1e6:,.1f} MB of {kept.describe()}")
            for old in prune(pattern, keep) if keep is not None else ():
                self.stdout.write(f"Deleted {old}")
        except KeepingError as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from None
        except DatabaseError as error:
            raise CommandError(f"The database: {explain_database_error(error)}.") from None
