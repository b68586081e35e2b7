"""Results as a file and as rows: one row for each peer and number of clients, and a line that says what it is."""

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Results = dict[str, Any]


def write_results(results: Results, file: Path) -> None:
    """Write them as JSON, a line for each row, so that two runs can be compared line by line."""
    parts = []
    for name, value in results.items():
        if isinstance(value, list):
            lines = ",\n  ".join(json.dumps(shorten(item), ensure_ascii=False) for item in value)
            parts.append(f'"{name}": [\n  {lines}\n ]' if value else f'"{name}": []')
        else:
            parts.append(f'"{name}": {json.dumps(value, ensure_ascii=False)}')
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{\n " + ",\n ".join(parts) + "\n}\n")


def read_results(file: Path) -> Results:
    """What was recorded in `file`. Raises OSError and ValueError where it cannot be read."""
    results: Results = json.loads(file.read_text())
    return results


def shorten(value: Any) -> Any:
    """The same with floats rounded to what they tell."""
    if isinstance(value, float):
        return round(value, 2) if abs(value) >= 1 else float(f"{value:.3g}")
    if isinstance(value, dict):
        return {key: shorten(item) for key, item in value.items()}
    return [shorten(item) for item in value] if isinstance(value, list) else value


def merge_rounds(results: Results) -> list[Row]:
    """One row per peer and number of clients: that of the median cost. What was lost in any round is added up."""
    rounds: dict[tuple[str, int], list[Row]] = {}
    for row in results["rows"]:
        rounds.setdefault((row["peer"], row["clients"]), []).append(row)
    merged = []
    for rows in rounds.values():
        median = sorted(rows, key=lambda row: float(row["cpu_us"]))[len(rows) // 2]
        stream = dict(median["stream"])
        for what in ("lost", "doubled", "disordered"):
            stream[what] = sum(row["stream"][what] for row in rows)
        notes = list(dict.fromkeys(note for row in rows for note in row["notes"]))
        merged.append({**median, "stream": stream, "notes": notes})
    return merged


def find_row(rows: list[Row], peer: str, clients: int) -> Row | None:
    """The row of `peer` with `clients`, None where that was not measured."""
    return next((row for row in rows if row["peer"] == peer and row["clients"] == clients), None)


def choose_shown_clients(rows: list[Row]) -> int | None:
    """For how many clients latencies are drawn: 5,000, else the most that were measured; None where none were."""
    counts = sorted(row["clients"] for row in rows if row["peer"] == "ours-daphne")
    return (5000 if 5000 in counts else counts[-1]) if counts else None


def describe_row(row: Row) -> str:
    """One line for the terminal."""
    stream, connects = row["stream"], row["connects"]
    latency = stream["latency_ms"]
    faults = stream["lost"], stream["doubled"], stream["disordered"]
    parts = [
        f"{row['peer']:20} {row['clients']:6,}  every {row['interval_s']:<5g}",
        f"{row['cpu_us']:7.1f} µs a message ({row['cpu_us_user']:.0f} user, {row['cpu_us_system']:.0f} system)",
        f"after {latency[50]:.0f} ms (p50), {latency[99]:.0f} (p99), {latency[100]:.0f} (max)",
        f"{row['memory_kb']:.1f} KB a client",
        f"{connects['per_second']:,.0f} connects/s, p50 {connects['handshake_ms']['p50']:.0f} ms",
        f"load generator {row['load_cpu_us']:.1f} µs, {row['load_load']:.0%}",
    ]
    if any(faults):
        parts.append("lost {}, doubled {}, out of order {}".format(*faults))
    if health := row.get("health_ms"):
        parts.append(f"health after {health['p50']:.0f} ms (p50), {health['max']:.0f} (max)")
    if connects["failures"]:
        parts.append(f"failures: {connects['failures']}")
    return "; ".join(parts + row["notes"])
