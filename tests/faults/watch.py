"""What health said while things broke, held against what clients of the same server received at that time."""

import asyncio
import json
import math
import re
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from streaming.contract import DecodedMessage
from streaming.roamers import decode
from tests.faults.stage import INTERVAL_S, Stage
from tests.processes import Server

#: Seconds between two samples, and how long one may take.
SAMPLE_S, PATIENCE_S = 0.5, 3.0
#: A snapshot that comes to a client later than this after somebody had it first is caught up, not live.
LIVE_S = 0.6
#: Intervals without a snapshot after which nobody may say ok, and after which everybody must say down.
NOT_OK, DOWN = 4, 3
#: Seconds that a busy machine may take to pass a snapshot on.
SLACK_S = 1.0
#: Seconds that a snapshot may be under way to a client when health knows it already.
PASSING_S = 0.2


class Flow:
    """When snapshots came, and where.

    The crowd tells what comes at all; the witnesses, one for each address, what flows there. A witness never asks for
    what it missed: who does may have to wait for history, which is not the stream.
    """

    def __init__(self) -> None:
        self.first_seen: dict[int, float] = {}
        #: When each snapshot came to the witness of an address: those newer than all before; of these, those live.
        self.new: dict[str, dict[int, float]] = {}
        self.live: dict[str, dict[int, float]] = {}
        self._greetings: list[tuple[str, int, float]] = []
        self.violations: list[str] = []

    def note(self, address: str, message: DecodedMessage, violations: list[str]) -> None:
        """A Watch (streaming.roamers) for the crowd."""
        self.violations += violations
        if isinstance(own := message.get("id"), int):
            self.first_seen.setdefault(own, time.monotonic())

    async def witness(self, address: str) -> None:
        """Connect, and write down when what comes, until cancelled."""
        while True:
            try:
                async with connect(address, compression=None, open_timeout=5, close_timeout=0.2) as connection:
                    # A greeting is the newest, however old it is; or, where the server had none, what came just now.
                    self._greetings.append(
                        (address, decode(await connection.recv(decode=True))["id"], time.monotonic())
                    )
                    while True:
                        self._note_arrival(address, decode(await connection.recv(decode=True))["id"])
            except (OSError, WebSocketException):
                await asyncio.sleep(0.05)

    def _note_arrival(self, address: str, own: int) -> None:
        now = time.monotonic()
        first = self.first_seen.setdefault(own, now)
        new = self.new.setdefault(address, {})
        if new and own <= next(reversed(new)):  # not new here
            return
        new[own] = now
        if now - first < LIVE_S:
            self.live.setdefault(address, {})[own] = now

    def count_live(self, address: str, since: float) -> int:
        """How many new snapshots came live to an address since then."""
        return sum(moment > since for moment in self.live.get(address, {}).values())

    def last_live(self, address: str, until: float) -> float | None:
        """When the newest live one came to that address, before `until`."""
        return last_before(self.live.get(address, {}), until)

    def last_new(self, address: str, until: float) -> float | None:
        """The same of those that came late, too: from a server that woke up, say; and of greetings that were new."""
        greetings = {
            own: moment
            for other, own, moment in self._greetings
            if other == address and abs(moment - self.first_seen.get(own, math.inf)) < LIVE_S
        }
        return last_before({**greetings, **self.new.get(address, {})}, until)

    def first_after(self, address: str, moment: float) -> float | None:
        """When the first live one came to that address after `moment`."""
        return min((one for one in self.live.get(address, {}).values() if one > moment), default=None)

    def longest_silence(self, start: float, end: float) -> float:
        """The longest time between two new snapshots, whoever got them, from the last before `start` to `end`."""
        moments = sorted(self.first_seen.values())
        before = [moment for moment in moments if moment <= start][-1:]
        within = [moment for moment in moments if start < moment <= end]
        marks = [*(before or [start]), *within, end]
        return max(later - earlier for earlier, later in pairwise(marks))


def last_before(arrivals: dict[int, float], until: float) -> float | None:
    """The newest moment that is not after `until`."""
    return max((moment for moment in arrivals.values() if moment <= until), default=None)


@dataclass(frozen=True)
class Sample:
    """One answer of `/stream/health`. `status`: None where it did not answer. `began`: when that server started.

    Times are monotonic.
    """

    address: str
    began: float
    asked_at: float
    answered_at: float
    status: str | None
    reasons: list[str]


async def ask_health(server: Server) -> dict[str, Any] | None:
    """What a server's health says; None where it does not answer in time."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            try:
                writer.write(b"GET /stream/health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.close()
        report = json.loads(answer.partition(b"\r\n\r\n")[2])
    except (OSError, ValueError):  # TimeoutError is one
        return None
    return report if isinstance(report, dict) else None


class HealthWatch:
    """Asks every server of a stage again and again: `async with HealthWatch(stage, flow) as watch`."""

    def __init__(self, stage: Stage, flow: Flow) -> None:
        self._stage = stage
        self._flow = flow
        self._began = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []
        self.samples: list[Sample] = []

    async def __aenter__(self) -> "HealthWatch":
        self._tasks = [asyncio.create_task(self._ask(server)) for server in self._stage.servers]
        self._tasks += [asyncio.create_task(self._flow.witness(address)) for address in self._stage.addresses]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, server: Server) -> None:
        while True:
            asked_at = time.monotonic()
            if self._stage.is_up(server):
                began = self._stage.began[server.stream]
                report = await ask_health(server)
                is_same = self._stage.is_up(server) and began == self._stage.began[server.stream]
                if is_same and asked_at > began:
                    status, reasons = (report["status"], report["reasons"]) if report else (None, [])
                    self.samples.append(Sample(server.stream, began, asked_at, time.monotonic(), status, reasons))
            await asyncio.sleep(max(0.0, asked_at + SAMPLE_S - time.monotonic()))

    def latest(self, server: Server, since: float) -> Sample | None:
        """The newest answer of that server to a question asked after `since`."""
        found = (one for one in reversed(self.samples) if one.address == server.stream and one.asked_at > since)
        return next(found, None)

    def find_lies(self) -> list[str]:
        """Every answer that was not true, a sentence each."""
        return [
            f"{lie}, {sample.asked_at - self._began:.1f} s into it ({sample.address}: {' '.join(sample.reasons)})"
            for sample in self.samples
            if (lie := self._judge(sample))
        ]

    def _judge(self, sample: Sample) -> str | None:
        began = max(self._began, sample.began)
        # What comes while it answers may be in the answer.
        newest = self._flow.last_new(sample.address, sample.answered_at + PASSING_S)
        silent_s = sample.asked_at - max(newest or began, began)
        if sample.status is None:
            return f"no answer within {PATIENCE_S:g} s"
        if sample.status == "ok" and silent_s > NOT_OK * INTERVAL_S + SLACK_S:
            return f"ok after {silent_s:.1f} s without a snapshot"
        if sample.status == "degraded" and silent_s > DOWN * INTERVAL_S + SLACK_S:
            return f"not down after {silent_s:.1f} s without a snapshot"
        before = self._flow.last_live(sample.address, sample.asked_at)
        since_last_s = sample.answered_at - before if before is not None else None
        if sample.status == "down" and since_last_s is not None and since_last_s < DOWN * INTERVAL_S - SLACK_S / 2:
            return f"down {since_last_s:.1f} s after a snapshot"
        return None

    def count(self) -> Counter[str]:
        """How often which status was said; "silent" where a server that ran did not answer."""
        return Counter(sample.status or "silent" for sample in self.samples)

    def words(self) -> Counter[str]:
        """The reasons, with their numbers left out, and how often each was said."""
        said = (re.sub(r"\d[\d.]*", "…", reason) for sample in self.samples for reason in sample.reasons)
        return Counter(said)
