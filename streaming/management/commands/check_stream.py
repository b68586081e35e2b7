"""Checks a running stream from outside: for use after a deployment."""

import asyncio
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException

from metrics.catalogue import CATALOGUE
from streaming.contract import LONGEST_INTERVAL_S, DecodedMessage, find_remarks, find_violations, is_number

SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def make_address(url: str) -> str:
    """The stream's address from it or the site's: `https://host` becomes `wss://host/stream/live`."""
    parts = urlsplit(url if "://" in url else f"ws://{url}")
    try:
        is_address = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        is_address = False
    if not is_address:
        raise CommandError(f"{url!r} is not an address: use ws://host:port/stream/live or the site's http address.")
    path = parts.path if parts.path.strip("/") else "/stream/live"
    return urlunsplit((SCHEMES[parts.scheme], parts.netloc, path, parts.query, ""))


def show(message: DecodedMessage) -> str:
    """One message on one readable line, whatever is in it."""
    values = []
    problems, chosen = (
        part if isinstance(part, dict) else {} for part in (message.get("problems"), message.get("sources"))
    )
    for metric in CATALOGUE:
        value, problem = message.get(metric.key), problems.get(metric.key)
        values.append(f"{metric.key} {metric.show(value)}" + (f" ({problem})" if problem else ""))
    sources = " ".join(f"{group}={source}" for group, source in chosen.items())
    return f"{message.get('datetime')}  {'  '.join(values)}  [{sources}]"


def patience_after(before: DecodedMessage | None) -> float:
    """Seconds to wait for the next message: three intervals where one came that says them, else ten."""
    interval: Any = (before or {}).get("interval")
    return max(3 * float(interval), 1) if is_number(interval) and 0 < interval < LONGEST_INTERVAL_S else 10


class Command(BaseCommand):
    """`check_stream [URL] [--messages N] [--timeout S]`: exits 0 where the contract holds, 1 where not."""

    help = "Connect to a stream, print its messages and check them against the contract."
    requires_system_checks = ()

    def get_version(self) -> str:
        """What `--version` prints: the dashboard's."""
        return str(settings.VERSION)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", nargs="?", default="ws://127.0.0.1:8000/stream/live", help="default: %(default)s")
        parser.add_argument("--messages", type=int, default=5, help="how many to check (default: %(default)s)")
        parser.add_argument("--timeout", type=float, help="seconds to wait for each (default: 10, then 3 intervals)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["messages"] < 1:
            raise CommandError("--messages must be at least 1.")
        address = make_address(options["url"])
        try:
            failed = asyncio.run(self.check_messages(address, options["messages"], options["timeout"]))
        except TimeoutError as error:
            raise CommandError(f"{address}: {error}") from None
        except (OSError, InvalidHandshake, InvalidURI) as error:
            raise CommandError(f"{address}: cannot connect: {error}. Is the server running there?") from None
        except WebSocketException as error:
            raise CommandError(f"{address}: the connection broke: {error}") from None
        if failed:
            raise CommandError(f"{address}: {failed} of {options['messages']} messages break the contract (see above).")
        self.stdout.write(self.style.SUCCESS(f"{address}: {options['messages']} messages, contract kept."))

    async def check_messages(self, address: str, count: int, timeout_s: float | None) -> int:
        """Print `count` messages as they come and return how many of them break the contract."""
        failed = 0
        before: DecodedMessage | None = None
        async with connect(address, open_timeout=timeout_s or 10) as connection:
            for number in range(1, count + 1):
                patience_s = timeout_s or patience_after(before)
                try:
                    async with asyncio.timeout(patience_s):
                        text = await connection.recv(decode=True)
                except TimeoutError:
                    raise TimeoutError(f"no message {number} of {count} within {patience_s:g} s") from None
                message, violations = find_violations(text, before)
                self.stdout.write(show(message) if message else repr(text[:200]))
                for violation in violations:
                    self.stderr.write(self.style.ERROR(f"  {violation}"))
                for remark in [] if violations else find_remarks(message, before):
                    self.stdout.write(self.style.WARNING(f"  {remark}"))
                failed += bool(violations)
                before = message or before
        return failed
