"""Makes a token for a program."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from access.models import AccessToken
from access.viewer import Scope


class Command(BaseCommand):
    help = "Makes a token with which a program reads the stream, and prints it; nobody can see it again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("owner", help="whose token it is: it works as long as they may look themselves")
        parser.add_argument("name", help="what it is for")
        parser.add_argument("--scope", action="append", choices=sorted(Scope), help="what it may read; default: all")
        parser.add_argument("--days", type=int, help="after how many days it expires; default: never")

    def handle(self, *args: Any, owner: str, name: str, scope: list[str] | None, days: int | None, **_: Any) -> None:
        users: Any = get_user_model()
        user = users.objects.filter(username=owner).first()
        if user is None:
            raise CommandError(
                f"There is no user {owner!r}: make one with `manage.py createsuperuser`, or in the admin."
            )
        if days is not None and days < 1:
            raise CommandError("--days must be 1 or more.")
        token = AccessToken(name=name, owner=user, scopes=scope or sorted(Scope))
        token.expires_at = None if days is None else timezone.now() + timedelta(days=days)
        self.stdout.write(token.begin())
