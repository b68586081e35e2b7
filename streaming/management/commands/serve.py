"""Serves the dashboard: what `make serve` runs."""

import os
from argparse import ArgumentParser
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from access.exposure import explain_exposed_address
from streaming.management.addresses import describe_addresses
from streaming.management.preparation import Preparation
from streaming.servers import SERVERS, Address, ServerError


class Command(BaseCommand):
    """`serve [--server S] [--host H] [--port P] [--prepare]`."""

    help = "Serve the dashboard until SIGTERM or Ctrl-C."
    requires_system_checks = ()

    def get_version(self) -> str:
        """What `--version` prints: the dashboard's."""
        return str(settings.VERSION)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--server", choices=SERVERS, default=os.environ.get("SERVER") or "daphne")
        parser.add_argument(
            "--host", default=os.environ.get("HOST") or "127.0.0.1", help="default: $HOST or %(default)s"
        )
        parser.add_argument("--port", default=os.environ.get("PORT") or "8000", help="default: $PORT or %(default)s")
        parser.add_argument("--prepare", action="store_true", help="first migrate and create a first staff user")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        if not port.isdigit() or int(port) > 65535:
            raise CommandError(f"PORT is {port!r}: it must be a number from 0 to 65535.")
        if options["server"] not in SERVERS:
            raise CommandError(f"SERVER is {options['server']!r}: it must be one of {', '.join(SERVERS)}.")
        if settings.DEBUG and (reason := explain_exposed_address(host)):
            raise CommandError(reason)
        if options["prepare"]:
            Preparation(self.show).begin()
        server = import_module(f"streaming.servers.{options['server']}_server")
        application = import_string(settings.ASGI_APPLICATION)
        try:
            server.run(application, application.runtime, Address(host, int(port)), self.show_addresses)
        except ServerError as error:
            raise CommandError(
                f"{error} Is port {port} in use, or {host} not an address of this machine? "
                "Choose others with PORT and HOST."
            ) from None

    def show(self, text: str) -> None:
        """Print a line at once; called from the thread that prepares the database, too."""
        self.stdout.write(text)
        self.stdout.flush()

    def show_addresses(self, host: str, port: int) -> None:
        """Say where everything is, once the server listens."""
        self.show(describe_addresses(host, port).rstrip())
        self.show(f"Access     {settings.ACCESS}: {settings.ACCESS_REASON}")
