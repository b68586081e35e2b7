"""Serves the dashboard: what `make serve` runs."""

import os
from argparse import SUPPRESS, ArgumentParser
from functools import partial
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from access.exposure import explain_exposed_address
from streaming.ending import LAST_S
from streaming.management.addresses import describe_addresses
from streaming.management.preparation import Preparation
from streaming.servers import SERVERS, Address, ServerError, other_workers
from streaming.servers.listening import adopt, find_handed_on, open_socket
from streaming.servers.workers import Program, Workers, count_workers
from streaming.supervisor import Parent, notify
from streaming.web.figures import tell_figures


class Command(BaseCommand):
    """`serve [--server S] [--host H] [--port P] [--workers N] [--prepare]`."""

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
        parser.add_argument(
            "--workers", default=os.environ.get("WORKERS") or "1", help="processes at this port, or auto: one per core"
        )
        parser.add_argument("--listen-fd", type=int, default=None, help=SUPPRESS)  # what a worker is given
        parser.add_argument("--ready-fd", type=int, default=None, help=SUPPRESS)
        parser.add_argument("--prepare", action="store_true", help="first migrate and create a first staff user")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        if not port.isdigit() or int(port) > 65535:
            raise CommandError(f"PORT is {port!r}: it must be a number from 0 to 65535.")
        if options["server"] not in SERVERS:
            raise CommandError(f"SERVER is {options['server']!r}: it must be one of {', '.join(SERVERS)}.")
        if settings.DEBUG and (reason := explain_exposed_address(host)):
            raise CommandError(reason)
        try:
            workers = count_workers(options["workers"])
        except ValueError as error:
            raise CommandError(str(error)) from None
        if workers > 1 and not settings.REDIS_URL:
            raise CommandError(
                f"WORKERS={workers} needs a Redis that the processes share: without it each would have a stream of its "
                "own. Start one and set REDIS_URL=redis://127.0.0.1:6379/1, or leave WORKERS at 1."
            )
        if options["prepare"]:
            Preparation(self.show).begin()
        address = Address(host, int(port))
        try:
            if workers > 1:
                self.serve_by_many(workers, options["server"], address)
            else:
                self.serve(options["server"], address, options["listen_fd"], options["ready_fd"])
        except ServerError as error:
            raise CommandError(
                f"{error} Is port {port} in use, or {host} not an address of this machine? "
                "Choose others with PORT and HOST."
            ) from None

    def serve(self, name: str, address: Address, listening: int | None, ready: int | None) -> None:
        """In this process. `listening`: a socket that it was given; `ready`: where to tell that it serves."""
        server = import_module(f"streaming.servers.{name}_server")
        application = import_string(settings.ASGI_APPLICATION)
        runtime, others = application.runtime, other_workers.Workers.find()
        descriptor = find_handed_on() if listening is None else listening
        parent = None if ready is None else Parent(ready)

        def tell(host: str, port: int) -> None:
            if others is not None:
                runtime.start()  # unless it has
                runtime.begin("answer to the other workers", partial(others.listen, partial(tell_figures, runtime)))
            if parent is None:
                self.show_addresses(host, port)
                notify("READY=1")
            else:
                parent.tell()
            runtime.on_pulse = partial(notify, "WATCHDOG=1") if parent is None else parent.tell

        server.run(application, runtime, address, tell, adopt(descriptor) if descriptor is not None else None)

    def serve_by_many(self, count: int, name: str, address: Address) -> None:
        """In processes of their own."""
        descriptor = find_handed_on()
        listening = open_socket(address) if descriptor is None else adopt(descriptor)
        try:
            workers = Workers(count, listening, Program(name), settings.STREAM_DRAIN + LAST_S)
        except OSError as error:
            raise CommandError(
                f"WORKERS={count} needs a folder for the sockets by which the workers ask each other: {error}. "
                "Set TMPDIR to another one."
            ) from None
        self.show_addresses(*listening.getsockname()[:2])
        self.show(f"Workers    {count}")
        workers.run()

    def show(self, text: str) -> None:
        """Print a line at once; called from the thread that prepares the database, too."""
        self.stdout.write(text)
        self.stdout.flush()

    def show_addresses(self, host: str, port: int) -> None:
        """Say where everything is, once the server listens."""
        self.show(describe_addresses(host, port).rstrip())
        self.show(f"Access     {settings.ACCESS}: {settings.ACCESS_REASON}")
