"""Looks at a deployment, and says what is wrong and what to type."""

import json
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from streaming.doctor.examination import examine


class Command(BaseCommand):
    """`doctor [--url https://your.host] [--json]`. Exits 0 where all is well, 1 where something is wrong."""

    help = (
        "Look at settings, machine, database and Redis, and say what is wrong and what to type. As the user that "
        "serves, with its settings and limits."
    )
    requires_system_checks = ()

    def get_version(self) -> str:
        """What `--version` prints: the dashboard's."""
        return str(settings.VERSION)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", help="the site as others reach it: its certificate and its health, too")
        parser.add_argument("--json", action="store_true", help="a list of subject, ok, said, do")

    def handle(self, *args: Any, url: str | None, **options: Any) -> None:
        if url is not None and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname):
            raise CommandError(f"{url!r} is not an address: use https://your.host.")
        wrong = 0
        shown = []
        for finding in examine(url):
            wrong += not finding.is_well
            if options["json"]:
                shown.append({"ok": finding.is_well, **finding._asdict()})
            elif finding.is_well:
                self.stdout.write(f"ok     {finding.subject}: {finding.said}")
            else:
                self.stdout.write(self.style.ERROR(f"wrong  {finding.subject}: {finding.said}. Do: {finding.do}"))
        if options["json"]:
            self.stdout.write(json.dumps(shown, indent=1, ensure_ascii=False))
        if wrong:
            raise SystemExit(1)
