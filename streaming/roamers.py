"""Clients that come and go at random, over any number of addresses, and write down what they receive.

They are impatient and rude on purpose: they leave without a goodbye, and come back somewhere else.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from streaming.contract import DecodedMessage
from streaming.ledger import Ledger

#: Seconds that a client stays on one connection: at least, and at most.
STAY_S = (0.2, 8.0)
#: Seconds until a client that was refused tries again: at least, and at most.
RETRY_S = (0.05, 0.5)
#: Seconds that opening and closing a connection may take.
OPEN_S, CLOSE_S = 5.0, 1.0
#: One in so many leaves without saying goodbye.
RUDE = 2

#: Called with the address, the message and what is wrong with its place, as it comes.
Watch = Callable[[str, DecodedMessage, list[str]], None]
#: What else is said to `websockets.connect`: whom to trust, from where to come.
Options = Mapping[str, Any]
NO_OPTIONS: Options = MappingProxyType({})


def ignore(address: str, message: DecodedMessage, violations: list[str]) -> None:
    """A Watch that looks away."""


class Roamer:
    """One client with one ledger, over any number of connections to any of the addresses."""

    def __init__(
        self,
        addresses: Sequence[str],
        dice: random.Random,
        *,
        stay_s: tuple[float, float] = STAY_S,
        watch: Watch = ignore,
        options: Options = NO_OPTIONS,
    ) -> None:
        """`addresses`: of the stream (ws://host/stream/live). `stay_s`: see STAY_S. `options`: see Options."""
        self.ledger = Ledger()
        self.connections = 0
        self.refused = 0
        #: Whether it leaves its connection after a while; it comes back in any case.
        self.is_roaming = True
        self._addresses = addresses
        self._dice = dice
        self._stay_s = stay_s
        self._watch = watch
        self._options = options

    async def run(self) -> None:
        """Connect, read, leave and come back until cancelled."""
        while True:
            address = self._dice.choice(self._addresses)
            last = self.ledger.last
            try:
                async with connect(
                    address if last is None else f"{address}?since={last}",
                    compression=None,
                    open_timeout=OPEN_S,
                    close_timeout=CLOSE_S,
                    ping_interval=None,
                    **self._options,
                ) as connection:
                    self.connections += 1
                    await self._read(connection, address)
            except (OSError, WebSocketException):  # TimeoutError is one
                self.refused += 1
                await asyncio.sleep(self._dice.uniform(*RETRY_S))

    async def _read(self, connection: ClientConnection, address: str) -> None:
        """Write down what comes until it is time to leave. Raises WebSocketException where the other end leaves."""
        leaves_at = asyncio.get_running_loop().time() + self._dice.uniform(*self._stay_s)
        while True:
            try:
                async with asyncio.timeout_at(leaves_at):
                    text = await connection.recv(decode=True)
            except TimeoutError:
                if self.is_roaming:
                    break
                # Stays from now on: whether all comes that should is for whoever had it stay to judge.
                leaves_at = asyncio.get_running_loop().time() + self._stay_s[1]
                continue
            message = decode(text)
            self._watch(address, message, self.ledger.note(message))
        if self._dice.randrange(RUDE) == 0:
            connection.transport.abort()


def decode(text: str) -> DecodedMessage:
    """A message, {} where it is none (which no ledger accepts)."""
    try:
        message = json.loads(text)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


class Crowd:
    """Many roamers, run by tasks of its own: `async with Crowd(…) as crowd`."""

    def __init__(
        self,
        addresses: Sequence[str],
        count: int,
        *,
        seed: int | None = None,
        stay_s: tuple[float, float] = STAY_S,
        watch: Watch = ignore,
        options: Options = NO_OPTIONS,
    ) -> None:
        """`count`: how many clients. `seed`: the same comings and goings as another time, as far as time allows."""
        dice = random.Random(seed)
        self.roamers = [
            Roamer(addresses, random.Random(dice.random()), stay_s=stay_s, watch=watch, options=options)
            for _ in range(count)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Crowd":
        self._tasks = [asyncio.create_task(roamer.run()) for roamer in self.roamers]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def newest(self) -> int | None:
        """The id of the newest snapshot that any of them received."""
        return max((roamer.ledger.last for roamer in self.roamers if roamer.ledger.last is not None), default=None)

    async def catch_up(self, patience_s: float) -> list[str]:
        """Stop roaming until each has received what any had; returns a sentence for each that has not in time."""
        goal = self.newest
        for roamer in self.roamers:
            roamer.is_roaming = False
        limit = time.monotonic() + patience_s
        try:
            while time.monotonic() < limit and not all(has_reached(roamer, goal) for roamer in self.roamers):
                self._raise_what_failed()
                await asyncio.sleep(0.05)
        finally:
            for roamer in self.roamers:
                roamer.is_roaming = True
        return [
            f"client {number} did not get as far as {goal} within {patience_s:g} s: its last is {roamer.ledger.last}"
            for number, roamer in enumerate(self.roamers, 1)
            if not has_reached(roamer, goal)
        ]

    def _raise_what_failed(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()

    def turn_pages(self) -> list[Ledger]:
        """The ledgers so far; each client goes on with an empty one that begins where that ended."""
        full = [roamer.ledger for roamer in self.roamers]
        for roamer in self.roamers:
            roamer.ledger = Ledger(roamer.ledger.last)
        return full


def has_reached(roamer: Roamer, goal: int | None) -> bool:
    return goal is not None and roamer.ledger.last is not None and roamer.ledger.last >= goal
