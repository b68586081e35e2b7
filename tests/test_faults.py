"""The short form of `make faults`: the most telling faults, one set of processes for all of a kind.

What health said is judged by the whole run, on a machine that does nothing else; here, that it did not call a silent
stream a good one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import embedded_faults, postgresql_faults, publisher_faults, redis_faults
from tests.faults.report import tell_wrong
from tests.faults.stage import Cluster, Embedded, Stage
from tests.faults.trial import Fault, Result, carry_out


def break_things(stage: Stage, faults: Sequence[Fault]) -> list[Result]:
    """Carry out some faults on one stage; shows the logs where anything is wrong."""

    async def one_after_the_other() -> list[Result]:
        async with stage:
            return [await carry_out(fault, stage) for fault in faults]

    results = asyncio.run(one_after_the_other())
    for result in results:
        result.lies.clear()
    if wrong := [line for result in results for line in tell_wrong(result)]:
        for log in sorted(stage.folder.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text()[-5000:]}")
        pytest.fail("\n".join(wrong))
    return results


@pytest.mark.timeout(300)
def test_three_servers_lose_nothing_when_publisher_redis_and_database_break(tmp_path: Path) -> None:
    killed = replace(publisher_faults.KILLED, times=1, clients=50)
    frozen = replace(publisher_faults.FROZEN, times=1, clients=50)
    flushed = replace(redis_faults.FLUSHED, times=1, clients=50)
    stopped = replace(postgresql_faults.STOPPED_SHORTLY, clients=50)
    results = break_things(Cluster(tmp_path), [killed, frozen, flushed, stopped])
    for result in results[:2]:  # silent for as long as the lease lasts
        assert result.statuses["down"]


@pytest.mark.timeout(180)
def test_one_process_loses_nothing_when_it_is_killed_or_ends_while_its_database_is_locked(tmp_path: Path) -> None:
    killed = replace(embedded_faults.KILLED, times=3, clients=20)
    locked = replace(embedded_faults.ENDED_WHILE_LOCKED, times=1, clients=20)
    break_things(Embedded(tmp_path), [killed, locked])
