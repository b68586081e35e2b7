"""Runs one case: the peer's programs, the load generator, and what both say."""

import http.client
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from benchmarks.load import Load, LoadError
from benchmarks.load.recorder import at
from benchmarks.peers.peer import Peer, Stage
from benchmarks.plan import FEW_CLIENTS, FIRST_CLIENTS, NEWCOMERS, PRODUCT_INTERVAL_S, Case, most_clients
from benchmarks.processes import Running, cpu_usage, memory_bytes

Row = dict[str, Any]

#: Share of a core above which the load generator itself may be what is measured.
SATURATED = 0.8
#: Seconds that connecting may take.
CONNECT_S = 40.0


class Server:
    """A peer's programs, running."""

    def __init__(self, peer: Peer, stage: Stage) -> None:
        """Start them, each when the one before is ready. Raises StartError."""
        self._runnings: list[Running] = []
        try:
            for number, program in enumerate(peer.programs(stage)):
                running = Running(program, stage.folder / f"{number}.log")
                self._runnings.append(running)
                running.wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def pids(self) -> list[int]:
        """The processes that count as the server."""
        return [pid for running in self._runnings if running.program.is_server for pid in running.pids()]

    def kill(self) -> None:
        """End all programs at once."""
        for running in reversed(self._runnings):
            running.kill()


@contextmanager
def serving(peer: Peer, port: int, interval_s: float) -> Iterator[tuple[Server, Stage]]:
    """A peer at `port` (and `port` + 1) for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o755)  # nginx's workers are nobody
    stage = Stage(port, port + 1, interval_s, folder)
    server = Server(peer, stage)
    try:
        yield server, stage
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def run_case(case: Case, port: int, look_every_ms: float) -> Row:
    """Measure `case`."""
    peer, interval_s = case.peer, case.interval_s
    patience_s = interval_s + 3
    row: Row = {"peer": peer.name, "clients": case.clients, "interval_s": interval_s}
    row["notes"] = [case.note] if case.note else []
    with (
        serving(peer, port, interval_s) as (server, _),
        Load(port, peer.path, own_payloads=peer.has_own_payloads, look_every_ms=look_every_ms) as load,
    ):
        load.connect(FIRST_CLIENTS, timeout_s=CONNECT_S)
        time.sleep(max(0.5, min(interval_s, 2.0)))
        empty = memory_bytes(server.pids())
        row["connects"] = load.connect(case.clients - FIRST_CLIENTS, timeout_s=CONNECT_S)
        time.sleep(case.warm_up * interval_s)
        load.mark(patience_s=patience_s)
        before = cpu_usage(server.pids())
        time.sleep(case.watched * interval_s)
        seen = load.mark(patience_s=patience_s)
        used = cpu_usage(server.pids()) - before
        if not seen["messages"]:
            raise LoadError("no snapshot arrived")
        row["memory_kb"] = (memory_bytes(server.pids()) - empty) / 1024 / max(seen["open"] - FIRST_CLIENTS, 1)
        if peer.health_path:
            row["health_ms"] = measure_health(port, peer.health_path, max(3 * interval_s, 2.0))
    messages = seen["messages"]
    row["stream"] = seen
    row["cpu_us"] = used.total * 1e6 / messages
    row["cpu_us_user"], row["cpu_us_system"] = used.user * 1e6 / messages, used.system * 1e6 / messages
    row["cpu_s"], row["server_load"] = used.total, used.total / seen["wall_s"]
    row["load_cpu_us"], row["load_load"] = seen["load_cpu_s"] * 1e6 / messages, seen["load_cpu_s"] / seen["wall_s"]
    row["notes"] += list(find_doubts(case, row))
    return row


def find_doubts(case: Case, row: Row) -> Iterator[str]:
    """Whatever a reader must know before believing `row`."""
    seen = row["stream"]
    if row["load_load"] > SATURATED:
        yield f"the load generator used {row['load_load']:.0%} of a core: it may be what was measured"
    if seen["open"] < case.clients:
        yield f"only {seen['open']:,} clients were connected"
    if seen["closed_by_server"]:
        yield f"the server closed {seen['closed_by_server']:,} connections"
    if row["server_load"] > 0.9:
        yield f"the server used {row['server_load']:.0%} of a core: it did not keep up"
    if seen["behind"]:
        yield f"{seen['behind']:,} clients had not got the last snapshot"


def measure_health(port: int, path: str, seconds: float) -> dict[str, float]:
    """Ask for `path` again and again for `seconds`, so that every sweep over the clients has questions in it.

    Returns how long the answers took, ms, and how many there were. Raises OSError where one says anything but 200.
    """
    times: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        asked = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        times.append((time.perf_counter() - asked) * 1000)
        connection.close()
        if answer.status != HTTPStatus.OK:
            raise OSError(f"{path} answered {answer.status}: {body[:300]!r}")
        time.sleep(0.01)
    times.sort()
    return {"p50": at(times, 0.5), "p99": at(times, 0.99), "max": times[-1], "answers": len(times)}


def measure_newcomers(case: Case, port: int, look_every_ms: float) -> Row:
    """Connects per second on the open stream beside FEW_CLIENTS, and beside all of `case`, on one server."""
    with (
        serving(case.peer, port, case.interval_s),
        Load(port, case.peer.path, look_every_ms=look_every_ms) as load,
    ):
        load.connect(FEW_CLIENTS, timeout_s=CONNECT_S)
        beside_few = connect_newcomers(load)
        clients = min(case.clients, most_clients() - NEWCOMERS)
        clients = FEW_CLIENTS + load.connect(clients - FEW_CLIENTS, timeout_s=CONNECT_S)["opened"]
        return {
            "peer": case.peer.name,
            "clients": clients,
            "beside_few": beside_few,
            "beside_all": connect_newcomers(load),
        }


def connect_newcomers(load: Load, times: int = 3) -> float:
    """Connects per second of NEWCOMERS more clients on the open stream; they leave again. Median of `times`."""
    rates: list[float] = []
    for _ in range(times):
        answer = load.connect(NEWCOMERS, timeout_s=20)
        load.disconnect(answer["opened"])
        rates.append(answer["per_second"])
        time.sleep(1)  # the server cleans up
    return statistics.median(rates)


def measure_restart(peer: Peer, clients: int, port: int, look_every_ms: float) -> Row:
    """Kill the server under `clients` connections, start it again, and time until all have a snapshot again."""
    with (
        serving(peer, port, PRODUCT_INTERVAL_S) as (server, stage),
        Load(port, peer.path, look_every_ms=look_every_ms) as load,
    ):
        opened = load.connect(clients, timeout_s=CONNECT_S)["opened"]
        time.sleep(1)
        load.keep_coming_back()
        server.kill()
        again = Server(peer, stage)
        try:
            answer = load.wait_until_back(timeout_s=45)
        finally:
            again.kill()
    return {"peer": peer.name, "clients": opened, **answer}
