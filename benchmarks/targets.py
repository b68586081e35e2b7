"""What the dashboard is meant to reach, and whether a run says that it does."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks.results import Results, Row, find_row, merge_rounds

Figure = float | None


class Target(NamedTuple):
    """A figure and its limit. `measured` is None where the run has not what it takes."""

    what: str
    limit: float
    is_most: bool
    measured: Figure
    show: Callable[[float], str]

    @property
    def is_met(self) -> bool | None:
        """None where it was not measured."""
        if self.measured is None:
            return None
        return self.measured <= self.limit if self.is_most else self.measured >= self.limit

    @property
    def verdict(self) -> str:
        """For the table."""
        return {True: "met", False: "**not met**", None: "not measured"}[self.is_met]


def as_fraction(value: float) -> str:
    """0.125 as 1/8."""
    return f"1/{1 / value:.3g}" if 0 < value < 1 else as_multiple(value)


def as_multiple(value: float) -> str:
    """1.6 as 1.6 ×."""
    return f"{value:.2f} ×"


def as_kilobytes(value: float) -> str:
    """20.04 as 20.0 KB."""
    return f"{value:.1f} KB"


def find_targets(results: Results) -> list[Target]:
    """All targets with what was measured for each."""
    rows = merge_rounds(results)
    return [*against_others(rows), *by_itself(rows, results)]


def describe_targets(results: Results) -> Iterator[str]:
    """A line for each target that was measured, for the terminal."""
    for target in find_targets(results):
        if target.measured is not None:
            limit = f"{'at most' if target.is_most else 'at least'} {target.show(target.limit)}"
            yield f"{target.verdict.strip('*'):8} {target.what}: {target.show(target.measured)} ({limit})"


def ratio(rows: list[Row], ours: str, other: str, clients: int, other_clients: int | None = None) -> Figure:
    """Cost per message of one row against that of another."""
    first, second = find_row(rows, ours, clients), find_row(rows, other, other_clients or clients)
    return first["cpu_us"] / second["cpu_us"] if first and second else None


def against_others(rows: list[Row]) -> Iterator[Target]:
    """CPU per delivered message, in ratios."""
    cpu = "CPU a delivered message against"
    for server, limit in (("uvicorn", 1.1), ("daphne", 1.25)):
        for clients in (5000, 10_000):
            measured = ratio(rows, f"ours-{server}", "nchan", clients)
            what = f"{cpu} nchan, {clients:,} clients, {server.capitalize()}"
            yield Target(what, limit, True, measured, as_multiple)
    for server in ("uvicorn", "daphne"):
        for clients in (1000, 5000, 10_000):
            measured = ratio(rows, f"ours-{server}", "websockets-broadcast", clients)
            what = f"{cpu} `websockets` `broadcast()`, {clients:,} clients, {server.capitalize()}"
            yield Target(what, 1.0, True, measured, as_multiple)
    measured = ratio(rows, "ours-daphne", "textbook-daphne", 5000)
    yield Target(f"{cpu} textbook Channels, 5,000 clients, Daphne", 1 / 300, True, measured, as_fraction)
    measured = ratio(rows, "ours-uvicorn", "fastapi", 5000)
    yield Target(f"{cpu} FastAPI's coroutine a connection, 5,000 clients, uvicorn", 1 / 3, True, measured, as_fraction)


def by_itself(rows: list[Row], results: Results) -> Iterator[Target]:
    """Growth, memory, storms and losses, for each server."""
    for row in results.get("snapshots", []):
        what = f"CPU a snapshot, no client, {row['server'].capitalize()}, {row['database']}"
        yield Target(what, 2.0, True, row["cpu_ms"], "{:.2f} ms".format)
    for server, kilobytes, connects in (("daphne", 18.0, 0.21), ("uvicorn", 16.0, 0.35)):
        name, title = f"ours-{server}", server.capitalize()
        measured = ratio(rows, name, name, 10_000, 1000)
        yield Target(f"growth of that from 1,000 to 10,000 clients, {title}", 1.2, True, measured, as_multiple)
        row = find_row(rows, name, 10_000) or find_row(rows, name, 5000)
        measured = row["memory_kb"] if row else None
        yield Target(f"memory a connection, {title}", kilobytes, True, measured, as_kilobytes)
        row, other = find_row(rows, name, 5000), find_row(rows, "nchan", 5000)
        measured = row["connects"]["per_second"] / other["connects"]["per_second"] if row and other else None
        yield Target(f"connects a second against nchan, 5,000 clients, {title}", connects, False, measured, as_multiple)
        costs = {row["name"]: row["cpu_us"] for row in results.get("connects", [])}
        measured = costs[name] / costs[f"{server} alone"] if name in costs else None
        yield Target(f"CPU a connect against the server alone, {title}", 1.0, True, measured, as_multiple)
        beside = next((row for row in results["newcomers"] if row["peer"] == name and row["clients"] >= 9000), None)
        measured = beside["beside_all"] / beside["beside_few"] if beside else None
        many = f"{beside['clients'] if beside else 10_000:,}"
        yield Target(f"connects a second beside {many} clients against 100, {title}", 0.7, False, measured, as_multiple)
        resumes = [row["live_s"] for row in results.get("resumes", []) if row["server"] == name]
        what = f"5,000 clients resuming 1,190 snapshots: all live after, {title}"
        yield Target(what, 10.0, True, max(resumes, default=None), "{:.1f} s".format)
        most = max((row for row in rows if row["peer"] == name), key=lambda row: int(row["clients"]), default=None)
        most = most if most and most["clients"] >= 19_000 else None
        stream = most["stream"] if most else None
        lost = stream["lost"] + stream["behind"] if stream else None
        late = stream["latency_ms"][99] if stream else None
        yield Target(f"snapshots lost with 20,000 clients at 3 s, {title}", 0, True, lost, "{:.0f}".format)
        yield Target(f"their p99, {title}", 250, True, late, "{:.0f} ms".format)
        measured = most["health_ms"]["max"] if most else None
        yield Target(f"health answered meanwhile, the slowest, {title}", 100, True, measured, "{:.0f} ms".format)
