"""Daphne's `runserver`, except that development mode is kept from other machines."""

from typing import Any

from daphne.management.commands.runserver import Command as DaphneCommand
from django.conf import settings
from django.core.management.base import CommandError

from access.exposure import explain_exposed_address


class Command(DaphneCommand):  # type: ignore[misc]  # it has no types
    """`runserver [[HOST:]PORT]`."""

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Serve. Raises CommandError where others could reach development mode."""
        if settings.DEBUG and (reason := explain_exposed_address(self.addr)):
            raise CommandError(reason)
        super().inner_run(*args, **options)
