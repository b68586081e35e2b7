"""Torture: clients come and go while somebody breaks things; then the verdict on what they received.

What `check_stream --torture` runs, against any deployment.
"""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from streaming.contract import DecodedMessage
from streaming.ledger import Comparison, Entry, Ledger, compare, read_entry
from streaming.roamers import NO_OPTIONS, Crowd


@dataclass(frozen=True)
class Verdict:
    """What came of it. `sentences`: everything that is wrong; where there is none, the promise was kept."""

    connections: int
    kept: int
    comparison: Comparison
    sentences: list[str]


async def torture(
    addresses: Sequence[str],
    clients: int,
    seconds: float,
    *,
    patience_s: float = 60.0,
    seed: int | None = None,
    headers: Mapping[str, str] = NO_OPTIONS,
) -> Verdict:
    """Let `clients` clients roam over the addresses for `seconds` seconds and judge what they received.

    Whoever calls it breaks things meanwhile, and stops in time: at the end each client must get what it lacks, and
    history must have it, both within `patience_s` seconds. `headers`: a token's, where people have to log in. Raises
    ConnectionError where nothing was received at all.
    """
    times: list[float] = []

    def note_time(_: str, message: DecodedMessage, __: list[str]) -> None:
        if isinstance(timestamp := message.get("timestamp"), int | float):
            times[:] = [min([timestamp, *times[:1]]), max([timestamp, *times[1:]])]

    options = {"additional_headers": headers}
    async with Crowd(addresses, clients, seed=seed, watch=note_time, options=options) as crowd:
        await asyncio.sleep(seconds)
        if crowd.newest is None or not times:
            raise ConnectionError("no client received anything. Is the server running there?")
        sentences = await crowd.catch_up(patience_s)
        ledgers = [roamer.ledger for roamer in crowd.roamers]
        connections = sum(roamer.connections for roamer in crowd.roamers)
    try:
        rows = await read_history(addresses, times[0] - 1, times[1] + 1, ledgers, patience_s, headers)
    except OSError as error:
        rows = None
        sentences.append(f"history cannot be read within {patience_s:g} s: {error}")
    # Without history the ledgers are compared with each other: what anybody received was published.
    known = rows if rows is not None else {entry.id: entry for one in ledgers for entry in one.entries}.values()
    comparison = compare(ledgers, known)
    return Verdict(connections, len(rows or ()), comparison, [*sentences, *comparison.sentences])


async def read_history(
    addresses: Sequence[str],
    start: float,
    end: float,
    ledgers: Sequence[Ledger],
    patience_s: float,
    headers: Mapping[str, str],
) -> list[Entry]:
    """What history keeps from the oldest to the newest id in the ledgers, which are in that time (Unix seconds).

    Asks again until it keeps the newest: what waits for the database may take a while. Raises OSError where nobody
    answers in time.
    """
    received = [entry.id for ledger in ledgers for entry in ledger.entries]
    oldest, newest = min(received), max(received)
    query = urlencode({"from": f"{max(start, 0):.3f}", "to": f"{end:.3f}"})
    limit = time.monotonic() + patience_s
    rows: list[Entry] | None = None
    number = 0
    while True:
        address = addresses[number % len(addresses)]
        number += 1
        problem: OSError | None = None
        try:
            rows = await asyncio.to_thread(fetch_entries, f"{make_history_address(address)}?{query}", headers)
        except OSError as error:
            problem = error
        if rows and max(row.id for row in rows) >= newest:
            break
        if time.monotonic() > limit:
            if rows is None and problem is not None:
                raise problem
            break
        await asyncio.sleep(0.5)
    return [row for row in rows or () if oldest <= row.id <= newest]


def make_history_address(stream: str) -> str:
    """History's address beside the stream's: wss://host/stream/live becomes https://host/stream/history."""
    parts = urlsplit(stream)
    scheme = {"ws": "http", "wss": "https"}[parts.scheme]
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/").removesuffix("/live") + "/history", "", ""))


def fetch_entries(url: str, headers: Mapping[str, str]) -> list[Entry]:
    """The snapshots of a range of history (blocking). Raises OSError, for an answer that is none, too."""
    try:
        request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - http or https, made above
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            answer: Any = json.load(response)
        return [read_entry(message) for message in answer["snapshots"]]
    except urllib.error.HTTPError as error:
        with error:
            raise OSError(f"{error.code} {error.reason}: {error.read(500).decode(errors='replace')}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(f"what history answers cannot be read ({error!r})") from None
