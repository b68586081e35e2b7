"""One fault: done again and again among clients that come and go, then judged."""

import asyncio
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from streaming.ledger import Comparison, Entry, Ledger, compare
from streaming.roamers import Crowd
from tests.faults.stage import Stage
from tests.faults.watch import Flow, HealthWatch

#: Seconds until the stream must go on, everybody must have caught up, and history must have everything.
PATIENCE_S = 40.0
#: How many snapshots each server must have sent live for the stream to count as going on.
STEADY = 3


@dataclass(frozen=True)
class Fault:
    """Something that breaks. `act` does it, waits as long as it lasts and mends it, if somebody must.

    `what`: in a few words, for the table. `clients`: how many come and go. `through_proxy`: half of them by nginx.
    `prepare` and `clean_up`: what it needs on the stage that others do not; no part of the fault.
    """

    name: str
    what: str
    act: Callable[[Any], Awaitable[None]]
    times: int = 1
    clients: int = 100
    through_proxy: bool = False
    prepare: Callable[[Any], Awaitable[None]] | None = None
    clean_up: Callable[[Any], Awaitable[None]] | None = None


@dataclass
class Result:
    """What came of one fault. Times in seconds, one for each repetition."""

    fault: Fault
    silences: list[float] = field(default_factory=list)
    goes_on: list[float] = field(default_factory=list)
    healthy: list[float] = field(default_factory=list)
    comparison: Comparison = field(default_factory=Comparison)
    statuses: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    lies: list[str] = field(default_factory=list)
    #: What did not come back in time, or could not be done.
    complaints: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, doubled, left untold or told wrongly, and everything came back."""
        return not (self.comparison.sentences or self.lies or self.complaints)


async def carry_out(fault: Fault, stage: Stage) -> Result:
    """Do what the fault does as often as it says, and judge what clients received and health said meanwhile."""
    result = Result(fault)
    if fault.prepare is not None:
        await fault.prepare(stage)
    await carry_out_among_clients(fault, stage, result)
    if fault.clean_up is not None and not result.complaints:
        await fault.clean_up(stage)
    return result


async def carry_out_among_clients(fault: Fault, stage: Stage, result: Result) -> None:
    """See carry_out."""
    flow = Flow()
    addresses = stage.addresses + fault.through_proxy * 3 * stage.addresses[-1:]
    async with Crowd(addresses, fault.clients, seed=1, watch=flow.note) as crowd, HealthWatch(stage, flow) as watch:
        try:
            await wait_for_flow(stage, flow, time.monotonic(), fault)
            for _ in range(fault.times):
                await do_once(fault, stage, flow, watch, result)
        except Exception as error:  # one fault that cannot be done must not keep the others from being
            traceback.print_exc()
            result.complaints.append(str(error).strip()[-500:] or type(error).__name__)
        result.complaints += (await crowd.catch_up(PATIENCE_S))[:5]
        ledgers = [roamer.ledger for roamer in crowd.roamers]
    result.statuses, result.words, result.lies = watch.count(), watch.words(), watch.find_lies()
    result.comparison = await judge(stage, ledgers)


async def do_once(fault: Fault, stage: Stage, flow: Flow, watch: HealthWatch, result: Result) -> None:
    """Once, until the stream goes on everywhere and health is as it was. Raises TimeoutError where it does not."""
    begun = time.monotonic()
    await fault.act(stage)
    over = time.monotonic()
    result.goes_on.append(await wait_for_flow(stage, flow, over, fault))
    result.silences.append(flow.longest_silence(begun, time.monotonic()))
    result.healthy.append(await wait_for_health(stage, watch, over))


async def wait_for_flow(stage: Stage, flow: Flow, since: float, fault: Fault) -> float:
    """Wait until each address sends new snapshots again; returns how long the first took, at the slowest."""
    addresses = stage.addresses[-1:] if fault.through_proxy else [server.stream for server in stage.servers]
    while not all(flow.count_live(address, since) >= STEADY for address in addresses):
        if time.monotonic() > since + PATIENCE_S:
            silent = [address for address in addresses if flow.count_live(address, since) < STEADY]
            raise TimeoutError(f"the stream does not go on after {PATIENCE_S:g} s at {', '.join(silent)}")
        await asyncio.sleep(0.02)
    return max((flow.first_after(address, since) or since) - since for address in addresses)


async def wait_for_health(stage: Stage, watch: HealthWatch, since: float) -> float:
    """Wait until every server says ok again; returns how long that took."""
    while True:
        latest = [watch.latest(server, since) for server in stage.servers]
        if all(sample is not None and sample.status == "ok" for sample in latest):
            return max(sample.answered_at - since for sample in latest if sample is not None)
        if time.monotonic() > since + PATIENCE_S:
            said = [f"{sample.status}: {' '.join(sample.reasons)}" if sample else "nothing" for sample in latest]
            raise TimeoutError(f"health is not ok after {PATIENCE_S:g} s: {' | '.join(said)}")
        await asyncio.sleep(0.1)


async def judge(stage: Stage, ledgers: list[Ledger]) -> Comparison:
    """Compare with history as soon as it has everything that was received, at the latest after PATIENCE_S."""
    received = {entry.id for ledger in ledgers for entry in ledger.entries}
    harmed = [entry for ledger in ledgers for entry in ledger.entries if entry.id <= stage.forgotten]
    limit = time.monotonic() + PATIENCE_S
    rows: list[Entry] = []
    while received:
        try:
            rows = await asyncio.to_thread(stage.read_rows)
        except OSError:
            rows = []
        rows = [row for row in rows if min(received) <= row.id <= max(received)]
        if received <= {row.id for row in rows} | {entry.id for entry in harmed} or time.monotonic() > limit:
            break
        await asyncio.sleep(0.2)
    # What was deleted on purpose counts as kept: it was, until then.
    known = {entry.id: Entry(entry.id, entry.previous) for entry in harmed} | {row.id: row for row in rows}
    return compare(ledgers, known.values())
