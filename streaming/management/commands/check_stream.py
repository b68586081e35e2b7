"""Checks a running stream from outside: for use after a deployment."""

import asyncio
import re
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI, WebSocketException

from metrics.catalogue import CATALOGUE
from streaming.contract import LONGEST_INTERVAL_S, DecodedMessage, find_remarks, find_violations, is_number
from streaming.delivery.close_codes import SIGN_IN
from streaming.torture import Verdict, torture

DEFAULT = "ws://127.0.0.1:8000/stream/live"
#: What one process can carry, and a day.
MOST_CLIENTS, LONGEST_TORTURE_S = 5000, 86_400
#: How many violations are printed.
MOST_SENTENCES = 50
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


def ask_for(name: str | None, address: str) -> tuple[str, dict[str, Any]]:
    """The address by which the site at `address` is asked for as `name`, and where to connect to all the same.

    So one process is asked past the proxy in front. Raises CommandError where `name` is none.
    """
    if name is None:
        return address, {}
    parts = urlsplit(address)
    if not re.fullmatch(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", name):
        raise CommandError(f"--as {name!r} is not the name of a site: use host or host:port.")
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    return urlunsplit(parts._replace(netloc=name)), {"host": parts.hostname, "port": port}


def read_token(file: str | None) -> str:
    """The token in `file` ("-": what comes in), so that no list of processes shows it. Raises CommandError."""
    if file is None:
        return ""
    try:
        return (sys.stdin.read() if file == "-" else Path(file).read_text()).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--token-file {file} cannot be read: {error}.") from None


def make_headers(token: str) -> dict[str, str]:
    """What shows `token`, where there is one."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def explain_status(status: int) -> str:
    """What an answer means that opens no stream."""
    if status == 403:
        return (
            "refused (403). A server answers only to the names in its ALLOWED_HOSTS, and with HTTPS=true only over "
            "wss://: its log says which. --as HOST asks for a site by name at any address."
        )
    return f"no stream there: it answered {status}."


def show(message: DecodedMessage) -> str:
    """One message on one readable line, whatever is in it."""
    values = []
    problems, chosen = (
        part if isinstance(part, dict) else {} for part in (message.get("problems"), message.get("sources"))
    )
    for metric in CATALOGUE:
        value, problem = message.get(metric.key), problems.get(metric.key)
        shown = "—" if value is None else value  # as it is sent: what is checked here is the wire
        values.append(f"{metric.key} {shown}" + (f" ({problem})" if problem else ""))
    sources = " ".join(f"{group}={source}" for group, source in chosen.items())
    return f"{message.get('datetime')}  {'  '.join(values)}  [{sources}]"


def patience_after(before: DecodedMessage | None) -> float:
    """Seconds to wait for the next message: three intervals where one came that says them, else ten."""
    interval: Any = (before or {}).get("interval")
    return max(3 * float(interval), 1) if is_number(interval) and 0 < interval < LONGEST_INTERVAL_S else 10


class Command(BaseCommand):
    """`check_stream [URL…] [--as HOST] [--token-file FILE] [--messages N] [--timeout S] [--torture N --seconds S]`.

    Exits 0 where the contract holds, 1 where not.
    """

    help = (
        "Connect to a stream, print its messages and check them against the contract; with --torture, let many clients "
        "come and go while you break things, and check that none lost anything."
    )
    requires_system_checks = ()

    def get_version(self) -> str:
        """What `--version` prints: the dashboard's."""
        return str(settings.VERSION)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("urls", nargs="*", metavar="url", help=f"of the stream or its site; default: {DEFAULT}")
        parser.add_argument(
            "--as",
            dest="name",
            metavar="HOST",
            help="ask for this site, whatever the url names: one process past the proxy, which ALLOWED_HOSTS lacks",
        )
        parser.add_argument(
            "--token-file",
            metavar="FILE",
            help="with the token in it, where people have to log in; - is what comes in",
        )
        parser.add_argument("--messages", type=int, default=5, help="how many to check (default: %(default)s)")
        parser.add_argument("--timeout", type=float, help="seconds to wait for each (default: 10, then 3 intervals)")
        parser.add_argument("--torture", type=int, metavar="N", help="let N clients roam over all the urls instead")
        parser.add_argument("--seconds", type=float, default=60, help="for how long (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["messages"] < 1:
            raise CommandError("--messages must be at least 1.")
        addresses = [make_address(url) for url in options["urls"] or [DEFAULT]]
        options["token"] = read_token(options["token_file"])
        if options["torture"] is not None:
            if options["name"] is not None:
                raise CommandError("--torture knows no --as: name addresses that are in the servers' ALLOWED_HOSTS.")
            self.torture(addresses, options["torture"], options["seconds"], options["token"])
            return
        for address in addresses:
            self.check_address(address, options)

    def check_address(self, address: str, options: dict[str, Any]) -> None:
        """Check one stream. Raises CommandError where its contract is broken or it cannot be had."""
        try:
            failed = asyncio.run(
                self.check_messages(address, options["messages"], options["timeout"], options["name"], options["token"])
            )
        except TimeoutError as error:
            raise CommandError(f"{address}: {error}") from None
        except InvalidStatus as error:
            raise CommandError(f"{address}: {explain_status(error.response.status_code)}") from None
        except (OSError, InvalidHandshake, InvalidURI) as error:
            raise CommandError(f"{address}: cannot connect: {error}. Is the server running there?") from None
        except ConnectionClosed as error:
            if error.rcvd is not None and error.rcvd.code == SIGN_IN:
                raise CommandError(
                    f"{address}: people have to log in there. Bring a token that may read the stream "
                    "(`manage.py create_token` makes one): --token-file FILE."
                ) from None
            raise CommandError(f"{address}: the connection broke: {error}") from None
        except WebSocketException as error:
            raise CommandError(f"{address}: the connection broke: {error}") from None
        if failed:
            raise CommandError(f"{address}: {failed} of {options['messages']} messages break the contract (see above).")
        self.stdout.write(self.style.SUCCESS(f"{address}: {options['messages']} messages, contract kept."))

    def torture(self, addresses: list[str], clients: int, seconds: float, token: str) -> None:
        """Let clients come and go, and say what came of it. Raises CommandError where anything was lost."""
        if not 1 <= clients <= MOST_CLIENTS or not 0 < seconds <= LONGEST_TORTURE_S:
            raise CommandError(
                f"--torture must be from 1 to {MOST_CLIENTS} clients, --seconds up to {LONGEST_TORTURE_S} seconds."
            )
        self.stdout.write(
            f"{clients} clients come and go for {seconds:g} s over {', '.join(addresses)}. Break what you like now, "
            "and see to it that everything works again at the end."
        )
        self.stdout.flush()
        try:
            verdict = asyncio.run(torture(addresses, clients, seconds, headers=make_headers(token)))
        except ConnectionError as error:
            raise CommandError(f"{', '.join(addresses)}: {error}") from None
        self.show_verdict(verdict)

    def show_verdict(self, verdict: Verdict) -> None:
        """Print what was received and what is wrong with it. Raises CommandError where anything is."""
        found = verdict.comparison
        self.stdout.write(
            f"{found.received} snapshots received over {verdict.connections} connections; "
            f"history keeps {verdict.kept}.\n"
            f"{found.holes_told} holes were told ({len(found.told)} snapshots that history has)."
        )
        for sentence in verdict.sentences[:MOST_SENTENCES]:
            self.stderr.write(self.style.ERROR(f"  {sentence}"))
        if (more := len(verdict.sentences) - MOST_SENTENCES) > 0:
            self.stderr.write(self.style.ERROR(f"  and {more} more"))
        figures = (
            f"lost {len(found.lost)}, not kept {len(found.unkept | found.unlinked)}, doubled {len(found.doubled)}, "
            f"two of one id {len(found.differing)}, untold holes {found.untold}"
        )
        if verdict.sentences:
            raise CommandError(f"The promise was broken: {figures} (see above).")
        self.stdout.write(self.style.SUCCESS(f"The promise was kept: {figures}."))

    async def check_messages(
        self, address: str, count: int, timeout_s: float | None, name: str | None = None, token: str = ""
    ) -> int:
        """Print `count` messages of the site `name` as they come and return how many of them break the contract."""
        failed = 0
        before: DecodedMessage | None = None
        url, place = ask_for(name, address)
        # Past a proxy that does TLS the process is asked as that one would.
        headers = make_headers(token) | ({"X-Forwarded-Proto": "https"} if name is not None else {})
        async with connect(url, open_timeout=timeout_s or 10, additional_headers=headers, **place) as connection:
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
