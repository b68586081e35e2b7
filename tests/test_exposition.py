"""What a Prometheus reads: nothing that is missing or stale, each source named, and the process's own figures."""

import asyncio
import json
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from metrics.catalogue import CATALOGUE
from streaming.runtime import Runtime
from streaming.web.exposition import Exposition
from streaming.web.figures import Figures, tell_figures
from tests.hubs import RuntimeClient, make_frame

SNAPSHOT = {
    "id": 1,
    "timestamp": 1735174460.123,
    "datetime": "2024-12-26T00:54:20.123Z",
    "cpu": 56.21,
    "ram": None,
    "latency": 158,
    "sharpe": 1.21,
    "pnl": -126692.14,
    "regime": "bull",
    "exposure": 0.62,
    "sources": {"system": "host", "ai": "redis", "portfolio": "mock"},
    "problems": {"ram": "missing", "sharpe": "stale"},
}


def read(runtime: Runtime) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """The series of an answer, by name and labels."""

    async def ask() -> str:
        await runtime.hub.pass_on(make_frame(1, text=json.dumps(SNAPSHOT)))
        response = await RuntimeClient(runtime).get("/metrics")
        assert response.status_code == 200
        assert response["Content-Type"].startswith("text/plain; version=0.0.4")
        return response.content.decode()

    found: dict[str, dict[Any, float]] = {}
    for family in text_string_to_metric_families(asyncio.run(ask())):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


@pytest.fixture
def series() -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    return read(Runtime())


def test_values_have_base_units_and_name_their_source(series: dict[str, Any]) -> None:
    assert series["quantum_cpu_ratio"] == {(("source", "host"),): pytest.approx(0.5621)}
    assert series["quantum_latency_seconds"] == {(("source", "redis"),): pytest.approx(0.158)}
    assert series["quantum_pnl"] == {(("source", "mock"),): -126692.14}
    assert series["quantum_exposure_ratio"] == {(("source", "mock"),): 0.62}
    assert series["quantum_regime"] == {(("source", "redis"), ("state", "bull")): 1}


def test_what_is_missing_or_stale_is_absent_and_its_problem_is_told(series: dict[str, Any]) -> None:
    assert not [name for name in series if "ram" in name or "sharpe" in name]
    assert series["quantum_dashboard_problem"] == {
        (("metric", "ram"), ("problem", "missing"), ("source", "host")): 1,
        (("metric", "sharpe"), ("problem", "stale"), ("source", "redis")): 1,
    }
    assert (("group", "portfolio"), ("source", "mock")) in series["quantum_dashboard_source"]


def test_the_process_tells_of_itself(series: dict[str, Any]) -> None:
    mine = (("worker", ""),)
    assert series["quantum_dashboard_stream_clients"] == {mine: 0}
    assert series["quantum_dashboard_stream_gaps_total"] == {mine: 0}
    assert series["quantum_dashboard_sweep_duration_seconds_count"] == {mine: 1}
    assert series["quantum_dashboard_stream_age_seconds"][mine] < 60
    assert sum(series["quantum_dashboard_status"].values()) == 1
    assert series["quantum_dashboard_info"]


def test_whoever_may_not_is_not_told(settings: Any) -> None:
    settings.ACCESS = "login"
    response = asyncio.run(RuntimeClient(Runtime()).get("/metrics"))
    assert response.status_code == 401


def test_values_of_a_stream_that_is_down_are_absent(settings: Any) -> None:
    runtime = Runtime()

    async def ask() -> str:
        await runtime.hub.pass_on(make_frame(1, text=json.dumps(SNAPSHOT)))
        assert runtime.hub.arrived_at is not None
        runtime.hub.arrived_at -= 100 * settings.STREAM_INTERVAL
        response = await RuntimeClient(runtime).get("/metrics")
        return response.content.decode()

    text = asyncio.run(ask())
    assert 'quantum_dashboard_status{status="down",worker=""} 1.0' in text
    assert "quantum_cpu_ratio" not in text
    assert "quantum_dashboard_problem{" not in text


def test_values_that_were_only_recalled_are_absent() -> None:
    runtime = Runtime()

    async def ask() -> str:
        runtime.hub.recent.append(make_frame(1, text=json.dumps(SNAPSHOT)))  # as a start does with what history has
        response = await RuntimeClient(runtime).get("/metrics")
        return response.content.decode()

    assert "quantum_cpu_ratio" not in asyncio.run(ask())


def test_of_what_several_workers_have_the_newest_is_told_once() -> None:
    async def tell(number: int, cpu: float | None) -> Figures:
        runtime = Runtime()
        if cpu is not None:
            await runtime.hub.pass_on(make_frame(number, text=json.dumps({**SNAPSHOT, "id": number, "cpu": cpu})))
        return await tell_figures(runtime)

    async def ask() -> list[Figures]:
        return [await tell(7, 70.0), await tell(8, 80.0), await tell(9, None)]

    newer, newest, without = asyncio.run(ask())
    families = [*Exposition({"1": newest, "2": newer, "3": without, "4": None}).collect()]
    (cpu,) = [family for family in families if family.name == "quantum_cpu_ratio"]
    assert [(sample.labels, sample.value) for sample in cpu.samples] == [({"source": "host"}, 0.8)]
    assert len({family.name for family in families}) == len(families)
    (up,) = [family for family in families if family.name == "quantum_dashboard_worker_up"]
    assert [(sample.labels["worker"], sample.value) for sample in up.samples] == [
        ("1", 1),
        ("2", 1),
        ("3", 1),
        ("4", 0),
    ]


def test_no_metric_of_the_catalogue_takes_a_name_of_the_dashboards_own() -> None:
    assert not [metric.key for metric in CATALOGUE if metric.key.startswith("dashboard")]
