"""One scrape tells of all workers at a port; what the alerts and the Grafana dashboard ask for is in it."""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from streaming.servers import other_workers
from streaming.servers.other_workers import Told, Workers
from tests.dashboards import NAME, fill, panels, targets, variables
from tests.processes import Redis, Server, wait_until
from tests.scraping import Prometheus, Scrape, scrape
from tests.test_alerts import ALERTS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Server]:
    """Two workers, both of which serve."""
    folder = tmp_path_factory.mktemp("watching")
    shutil.copy(prepared_database, folder)
    redis = Redis(folder).start()
    server = Server(folder, "uvicorn", WORKERS="2", REDIS_URL=redis.url)
    try:
        server.start()
        scrape_whole(server)
        yield server
    finally:
        code = server.stop()
        redis.stop()
        print(server.output)
    assert code == 0
    assert "Traceback" not in server.output


def scrape_whole(server: Server) -> Scrape:
    """What it tells when both workers answer in time, not always so on a busy machine, and there is a snapshot."""

    def look() -> Scrape | None:
        try:
            seen = scrape(server)
        except TimeoutError:  # the parent listens, and no worker serves yet
            return None
        is_whole = seen.by("quantum_dashboard_worker_up") == {"1": 1, "2": 1} and "quantum_cpu_ratio" in seen.families
        return seen if is_whole else None

    return wait_until(look, 60)


def number_of(pid: int) -> str:
    """Which worker a process is."""
    return psutil.Process(pid).environ()["WORKER"]


def test_one_scrape_tells_of_all_workers_and_of_each_metric_once(server: Server) -> None:
    with server.connect() as one, server.connect() as two:
        assert one.recv()
        assert two.recv()
        seen = scrape_whole(server)
    assert len(seen.families) == len(set(seen.families))
    assert sum(seen.by("quantum_dashboard_stream_clients").values()) == 2
    assert sorted(seen.by("quantum_dashboard_lease_held").values()) == [0, 1]
    assert set(seen.by("quantum_dashboard_sweep_duration_seconds_count")) == {"1", "2"}
    assert set(seen.by("quantum_dashboard_stream_gaps_total")) == {"1", "2"}
    assert [labels for labels, _ in seen.series["quantum_cpu_ratio"]] == [{"source": "host"}]
    assert seen.by("quantum_dashboard_source", "group") == {"system": 1, "ai": 1, "portfolio": 1}


def test_counters_only_rise_from_scrape_to_scrape_whichever_worker_answers(server: Server) -> None:
    names = ("quantum_dashboard_sweep_duration_seconds_count", "quantum_dashboard_ticks_published_total")
    before = scrape_whole(server)
    for _ in range(10):
        now = scrape_whole(server)
        for name in names:
            assert all(now.by(name)[worker] >= value for worker, value in before.by(name).items())
        before = now


def test_a_worker_that_hangs_is_named_and_shows_no_frozen_figure(server: Server) -> None:
    """And one that is replaced is there again."""
    hanging = psutil.Process(server.pid).children()[0].pid
    number = number_of(hanging)
    os.kill(hanging, signal.SIGSTOP)
    try:
        seen = scrape(server)
    finally:
        os.kill(hanging, signal.SIGCONT)
    assert seen.by("quantum_dashboard_worker_up") == {number: 0, "1" if number == "2" else "2": 1}
    assert number not in seen.by("quantum_dashboard_stream_clients")
    assert number not in seen.by("quantum_dashboard_sweep_duration_seconds_count")
    assert number in scrape_whole(server).by("quantum_dashboard_stream_clients")


def test_workers_that_refuse_answer_half_or_too_late_are_told_apart_from_those_that_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_workers, "PATIENCE_S", 0.2)

    async def tell() -> Told:
        return {"status": "ok"}

    async def never() -> Told:
        await asyncio.sleep(60)
        return {}

    async def ask() -> dict[int, Told | None]:
        async def tell_half(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b'{"status":')
            writer.close()

        half = await asyncio.start_unix_server(tell_half, tmp_path / "4")
        tasks = [asyncio.create_task(Workers(tmp_path, 2, 5).listen(tell))]
        tasks += [asyncio.create_task(Workers(tmp_path, 3, 5).listen(never))]
        await asyncio.to_thread(wait_until, lambda: (tmp_path / "2").exists() and (tmp_path / "3").exists())
        told = await Workers(tmp_path, 1, 5).ask()
        for task in tasks:
            task.cancel()
        half.close()
        return told

    assert asyncio.run(ask()) == {2: {"status": "ok"}, 3: None, 4: None, 5: None}


def test_a_folder_in_which_no_socket_can_be_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="is too long a name"):
        Workers(tmp_path / ("long" * 30), 1, 2).check_folder()


def test_alerts_and_the_dashboard_ask_for_nothing_that_no_server_tells(server: Server) -> None:
    told = scrape_whole(server).names
    asked = {name: rule["alert"] for rule in ALERTS for name in NAME.findall(rule["expr"])}
    asked |= {name: title for title, target in targets() for name in NAME.findall(target["expr"])}
    assert {name: where for name, where in asked.items() if name not in told} == {}


def test_a_real_prometheus_understands_all_of_it_and_nothing_is_wrong(server: Server, tmp_path: Path) -> None:
    prometheus = Prometheus(tmp_path, server.port)
    prometheus.spawn()
    try:
        wait_until(prometheus.has_scraped, 60)
        rules = prometheus.ask("rules")["groups"][0]["rules"]
        wait_until(lambda: all(rule["health"] == "ok" for rule in prometheus.ask("rules")["groups"][0]["rules"]))
        assert {rule["name"] for rule in rules if rule["state"] == "firing"} == set()
        shown = {name: prometheus.ask("label/__name__/values", **{"match[]": by}) for name, by in variables().items()}
        assert shown["$text"] == ["quantum_regime"]
        assert set(shown["$metric"]) >= {"quantum_cpu_ratio", "quantum_latency_seconds", "quantum_pnl"}
        assert not any(name.startswith("quantum_dashboard_") for name in shown["$metric"])
        empty = set()
        for title, target in targets():
            found = prometheus.query(fill(target["expr"], metric="quantum_cpu_ratio", text="quantum_regime"))
            if not found:
                empty.add((title, target["refId"]))
        assert empty == {
            ("What is not as it should be", "A"),
            ("$metric", "B"),  # this host's load is not simulated
            ("$text", "A"),  # and the market's regime is
        }
    finally:
        prometheus.stop()


def test_the_dashboard_draws_no_simulated_value_as_a_real_one() -> None:
    for panel in panels():
        for target in panel["targets"]:
            if "$metric" in target["expr"] or "$text" in target["expr"] or "_source{" in target["expr"]:
                is_simulated = 'source="mock"' in target["expr"]
                assert is_simulated or 'source!="mock"' in target["expr"]
                assert ("SIMULATED" in target["legendFormat"]) is is_simulated
                marked = {by["matcher"]["options"] for by in panel["fieldConfig"]["overrides"]}
                assert not is_simulated or target["refId"] in marked


def test_the_dashboard_leaves_it_to_grafana_where_prometheus_is() -> None:
    asked = [panel["datasource"] for panel in panels()] + [target["datasource"] for _, target in targets()]
    assert {source["uid"] for source in asked} == {"${datasource}"}
