"""Sources: believable simulation, this host, and that one that fails costs only its own groups."""

import asyncio
import errno
import itertools
import math
import os
import random
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metrics.catalogue import CATALOGUE, METRICS, Group, SourceKind, Value, metrics_of
from metrics.choices import DEFAULT_CHOICES, SourceChoice
from metrics.inquiry import Inquiry
from metrics.reading import Problem, Reading
from metrics.sources import Sources
from metrics.sources.containers import INITIAL_NAMESPACES, LOOK_AGAIN_S, Containers
from metrics.sources.host import HostSource
from metrics.sources.mock import MockSource, Walk
from metrics.sources.redis import RedisSource
from metrics.thresholds import NO_THRESHOLDS
from tests.simulation.loop import SimulatedLoop

TICKS = 3000


def simulate(seed: int | None, ticks: int = TICKS) -> dict[str, list[Value]]:
    async def run() -> dict[str, list[Value]]:
        source = MockSource(seed)
        found: dict[str, list[Value]] = {key: [] for key in METRICS}
        for _ in range(ticks):
            for reading in (await source.read(DEFAULT_CHOICES, list(Group), 1)).values():
                for key, value in reading.values.items():
                    found[key].append(value)
        return found

    return asyncio.run(run())


@pytest.fixture(scope="module")
def simulated() -> dict[str, list[Value]]:
    return simulate(1)


def test_a_seed_makes_the_simulation_repeatable(simulated: dict[str, list[Value]]) -> None:
    assert simulate(1, 50) == {key: values[:50] for key, values in simulated.items()}
    assert simulate(2, 50) != simulate(1, 50)
    assert simulate(None, 50) != simulate(None, 50)


def test_simulated_values_are_values_of_their_metrics(simulated: dict[str, list[Value]]) -> None:
    for metric in CATALOGUE:
        for value in simulated[metric.key]:
            assert value is not None
            assert metric.accept(value) == value
            assert isinstance(value, metric.type)


def test_a_simulated_number_at_the_end_of_its_range_is_of_its_metrics_type() -> None:
    """The catalogue says 0 and 100, also of what is no integer."""
    for metric in CATALOGUE:
        for bound in (metric.minimum, metric.maximum):
            if metric.is_number and math.isfinite(bound):
                beyond = replace(metric, typical=bound * 3 - 100, thresholds=NO_THRESHOLDS)
                value = Walk(beyond, random.Random(1)).step()
                assert value in {metric.minimum, metric.maximum}
                assert isinstance(value, metric.type)
                assert math.copysign(1, value) == 1


@pytest.mark.parametrize("key", [metric.key for metric in CATALOGUE if metric.type is float])
def test_simulated_numbers_wander_and_come_back_instead_of_jumping(simulated: dict[str, list[Value]], key: str) -> None:
    values = [float(value) for value in simulated[key] if value is not None]
    assert statistics.correlation(values[:-1], values[1:]) > 0.8  # not white noise
    if not METRICS[key].drift:
        assert abs(statistics.mean(values) - METRICS[key].typical) < METRICS[key].wander


def test_profit_and_loss_drifts(simulated: dict[str, list[Value]]) -> None:
    pnl = [float(value) for value in simulated["pnl"] if value is not None]
    assert statistics.mean(pnl[-500:]) > statistics.mean(pnl[:500]) + METRICS["pnl"].wander


def test_the_regime_persists(simulated: dict[str, list[Value]]) -> None:
    regime = simulated["regime"]
    changes = sum(a != b for a, b in itertools.pairwise(regime))
    assert 1 <= changes < TICKS / 50


def test_the_host_answers_for_the_system() -> None:
    async def run() -> None:
        source = HostSource()
        reading = (await source.read(DEFAULT_CHOICES, [Group.SYSTEM], 5))[Group.SYSTEM]
        assert 0 <= float(reading.values["cpu"] or 0) <= 100
        assert 0 < float(reading.values["ram"] or 0) <= 100
        assert (reading.values["containers"] is None) == (reading.problems.get("containers") is Problem.MISSING)
        await source.aclose()

    asyncio.run(run())


def test_a_host_that_hangs_is_unreachable_and_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        source = HostSource()
        asked = 0
        never = asyncio.Event()

        async def hang() -> None:
            nonlocal asked
            asked += 1
            await never.wait()

        monkeypatch.setattr(source, "_inquiry", Inquiry(hang))
        for _ in range(3):
            reading = (await source.read(DEFAULT_CHOICES, [Group.SYSTEM], 0.01))[Group.SYSTEM]
            assert set(reading.problems.values()) == {Problem.UNREACHABLE}
        assert asked == 1
        await source.aclose()

    asyncio.run(run())


def test_the_host_is_measured_once_a_second_however_often_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux counts CPU time in hundredths of a second: what is measured over less says little."""
    asked = 0

    async def answer() -> dict[Group, Reading]:
        nonlocal asked
        asked += 1
        return {Group.SYSTEM: Reading({"cpu": float(asked), "ram": 2.0, "containers": 3})}

    async def run() -> None:
        source = HostSource()
        monkeypatch.setattr(source, "_inquiry", Inquiry(answer))
        seen = []
        for _ in range(4):
            seen.append((await source.read(DEFAULT_CHOICES, [Group.SYSTEM], 5))[Group.SYSTEM].values["cpu"])
            await asyncio.sleep(0.4)  # on the loop's simulated clock
        assert seen == [1.0, 1.0, 1.0, 2.0]

    loop: Any = SimulatedLoop(random.Random(1))  # type: ignore[abstract]
    task = loop.create_task(run())
    loop.run_until(10.0)
    task.result()
    loop.end([])


def test_a_source_with_a_defect_costs_only_its_own_groups(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async def fail(*args: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(MockSource, "read", fail)
        sources = Sources(seed=1)
        readings = await sources.read(DEFAULT_CHOICES, 5)
        await sources.aclose()
        assert set(readings[Group.AI].problems.values()) == {Problem.UNREACHABLE}
        assert readings[Group.SYSTEM].values["ram"] is not None

    asyncio.run(run())
    assert "ZeroDivisionError" in caplog.text


def test_sources_that_have_to_be_waited_for_are_asked_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        asked = {RedisSource: asyncio.Event(), HostSource: asyncio.Event()}

        def answer_when_both_are_asked(kind: type) -> None:
            async def read(
                self: object, choices: object, groups: list[Group], deadline_s: float
            ) -> dict[Group, Reading]:
                asked[kind].set()
                await asyncio.gather(*(event.wait() for event in asked.values()))
                return {group: Reading.failed(group, Problem.MISSING) for group in groups}

            monkeypatch.setattr(kind, "read", read)

        for kind in asked:
            answer_when_both_are_asked(kind)
        sources = Sources(seed=1)
        choices = {**DEFAULT_CHOICES, Group.AI: SourceChoice(Group.AI, SourceKind.REDIS)}
        async with asyncio.timeout(20):
            readings = await sources.read(choices, 5)
        assert [set(readings[group].problems.values()) for group in (Group.SYSTEM, Group.AI)] == [{Problem.MISSING}] * 2
        assert not readings[Group.PORTFOLIO].problems
        await sources.aclose()

    asyncio.run(run())


def test_every_group_can_be_read_from_each_kind_that_staff_may_choose() -> None:
    async def run() -> None:
        sources = Sources(seed=1, redis_url="redis://127.0.0.1:1/0")
        for group in Group:
            for kind in group.kinds:
                readings = await sources.read({**DEFAULT_CHOICES, group: SourceChoice(group, kind)}, 2)
                assert list(readings) == list(Group)
                assert set(readings[group].values) == {metric.key for metric in metrics_of(group)}
        await sources.aclose()

    asyncio.run(run())
    assert SourceKind.HOST not in Group.AI.kinds


# --- containers ---

ONE, OTHER = "a1" * 32, "b2" * 32


def make_proc(folder: Path, groups: dict[str, str], **namespaces: str) -> Path:
    """A /proc with these processes' control groups."""
    (folder / "self/ns").mkdir(parents=True)
    for name, link in {**INITIAL_NAMESPACES, **namespaces}.items():
        (folder / "self/ns" / name).symlink_to(link)
    for process, text in {"1": "0::/init.scope", **groups}.items():
        (folder / process).mkdir()
        (folder / process / "cgroup").write_text(text + "\n")
    (folder / "meminfo").write_text("no process")
    return folder


def test_containers_are_the_different_ids_in_control_groups(tmp_path: Path) -> None:
    proc = make_proc(
        tmp_path,
        {
            "10": f"0::/system.slice/docker-{ONE}.scope",
            "11": f"0::/system.slice/docker-{ONE}.scope/init",
            "12": f"12:memory:/docker/{ONE}\n1:name=systemd:/docker/{ONE}",
            "20": f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{OTHER}.scope",
            "30": "0::/user.slice/session-1.scope",
        },
    )
    assert Containers(proc).count() == 2


def test_no_container_is_a_real_zero(tmp_path: Path) -> None:
    assert Containers(make_proc(tmp_path, {})).count() == 0


def test_a_process_that_is_put_into_its_container_after_its_start_counts_and_one_that_ended_does_not(
    tmp_path: Path,
) -> None:
    proc = make_proc(tmp_path, {"10": f"0::/docker/{ONE}"})
    containers = Containers(proc)
    assert containers.count() == 1
    (proc / "20").mkdir()
    (proc / "20/cgroup").write_text("0::/system.slice/docker.service\n")
    assert containers.count() == 1
    (proc / "20/cgroup").write_text(f"0::/docker/{OTHER}\n")
    assert containers.count() == 2
    (proc / "10").rename(proc / "ended")
    assert containers.count() == 1


def test_a_process_number_that_was_taken_anew_is_noticed_after_a_while(tmp_path: Path) -> None:
    proc = make_proc(tmp_path, {"10": f"0::/docker/{ONE}"})
    now = 100.0
    containers = Containers(proc, clock=lambda: now)
    assert [containers.count() for _ in range(3)] == [1, 1, 1]
    (proc / "10/cgroup").write_text("0::/user.slice\n")
    now += LOOK_AGAIN_S - 1
    assert containers.count() == 1
    now += 1
    assert containers.count() == 0


def test_a_look_at_the_processes_that_fails_costs_the_next_one_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that has too many connections can open no files for a while."""
    proc = make_proc(tmp_path, {"10": f"0::/docker/{ONE}"})
    containers = Containers(proc)

    def refuse(*args: object) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    for call in ("open", "listdir"):
        with monkeypatch.context() as full:
            full.setattr(os, call, refuse)
            with pytest.raises(OSError, match="Too many"):  # and no number that would be wrong
                containers.count()
        assert [containers.count() for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("namespace", ["pid", "cgroup"])
def test_inside_a_container_the_count_cannot_be_known(tmp_path: Path, namespace: str) -> None:
    proc = make_proc(tmp_path, {"10": f"0::/docker/{ONE}"}, **{namespace: f"{namespace}:[4026532000]"})
    assert Containers(proc).count() is None


def test_without_proc_the_count_cannot_be_known(tmp_path: Path) -> None:
    assert Containers(tmp_path / "nothing").count() is None
