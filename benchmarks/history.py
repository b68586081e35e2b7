"""How long history takes to answer: `python -m benchmarks.history` (or `make bench-history`).

For each size it fills a SQLite database of its own with a snapshot every 3 s, starts the server on it and asks over
HTTP, as the page does: the whole range in 400 points, the newest hour, the whole range as CSV; and the admin's list.
"""

import os
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.report import DOCUMENTS, HISTORY, RECORDED, write_report
from benchmarks.results import Results, Row, write_results
from benchmarks.tables import describe_history

SIZES = (28_800, 201_600, 1_000_000)
INTERVAL_S = 3
ROUNDS = 5


def fill(count: int) -> None:
    """Put `count` simulated snapshots, the newest from now, into the database that the settings name."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "quantum_dashboard.settings"
    django.setup()
    from django.core.management import call_command

    from metrics.catalogue import CATALOGUE
    from metrics.models import SnapshotRecord

    call_command("migrate", verbosity=0)
    numbers = random.Random(1)
    newest_ms = round(time.time() * 1000)
    step_ms = INTERVAL_S * 1000
    for start in range(count, 0, -5000):
        SnapshotRecord.objects.bulk_create(
            SnapshotRecord(
                id=newest_ms - age * step_ms,
                time_ms=newest_ms - age * step_ms,
                previous=newest_ms - (age + 1) * step_ms,
                interval_s=INTERVAL_S,
                source_system="host",
                source_ai="redis",
                source_portfolio="mock",
                problem_count=age % 1000 == 0,
                problems='{"latency": "stale"}' if age % 1000 == 0 else "{}",
                stand_ins='{"latency": 165}' if age % 1000 == 0 else "",
                observed="{}",
                **{
                    metric.key: None
                    if metric.key == "latency" and age % 1000 == 0
                    else metric.texts[age // 400 % 3]
                    if metric.type is str
                    else metric.accept(round(max(numbers.gauss(metric.typical, metric.wander), 0)))
                    if metric.type is int
                    else round(numbers.gauss(metric.typical, metric.wander), metric.decimals)
                    for metric in CATALOGUE
                },
            )
            for age in range(start, max(start - 5000, 0), -1)
        )


def median_ms(url: str) -> tuple[float, int]:
    """Median time of an answer in ms, and its size in bytes; the first one, which fills caches, does not count."""
    times = []
    size = 0
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        with urllib.request.urlopen(url, timeout=120) as response:
            size = len(response.read())
        times.append((time.perf_counter() - started) * 1000)
    return sorted(times[1:])[ROUNDS // 2], size


def measure(count: int, folder: Path) -> Row:
    """One row of the results."""
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{folder / f'{count}.sqlite3'}",
        "SECRET_KEY": "only-for-this-benchmark-" * 3,
        "HISTORY_RETENTION": "365d",
        "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
    }
    subprocess.run([sys.executable, "-m", "benchmarks.history", "fill", str(count)], env=environment, check=True)
    command = [sys.executable, "manage.py", "serve", "--prepare", "--server", "uvicorn", "--port", "0"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = next(line.split()[1] for line in server.stdout if line.startswith("Dashboard"))
        now = time.time()
        whole = f"from={now - count * INTERVAL_S:.0f}&to={now:.0f}"
        points_ms, _ = median_ms(f"{url}stream/history?{whole}&points=400")
        hour_ms, _ = median_ms(f"{url}stream/history?from={now - 3600:.0f}&to={now:.0f}")
        before_kib = peak_kib(server.pid)
        started = time.perf_counter()
        with urllib.request.urlopen(f"{url}stream/history?{whole}&format=csv", timeout=600) as response:
            csv_bytes = sum(len(part) for part in iter(lambda: response.read(1 << 16), b""))
        csv_s = time.perf_counter() - started
        return {
            "snapshots": count,
            "points_ms": points_ms,
            "hour_ms": hour_ms,
            "csv_s": csv_s,
            "csv_mb": csv_bytes / 1e6,
            "memory_mib": (peak_kib(server.pid) - before_kib) / 1024,
        }
    finally:
        server.terminate()
        server.wait()


def peak_kib(pid: int) -> int:
    """The most memory that a process has had so far, in KiB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def main() -> None:
    """Measure and print; a run of all sizes is recorded and goes into docs/benchmarks.md."""
    if sys.argv[1:2] == ["fill"]:
        fill(int(sys.argv[2]))
        return
    sizes = [int(word) for word in sys.argv[1:]] or SIZES
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in sizes:
            rows.append(measure(count, Path(folder)))
            print(f"{count:,} snapshots measured", flush=True)
    results: Results = {"date": datetime.now(UTC).date().isoformat(), "rows": rows}
    print(describe_history(results))
    if not sys.argv[1:]:
        write_results(results, HISTORY)
        print(f"Written: {HISTORY}, {write_report(RECORDED, DOCUMENTS)}")


if __name__ == "__main__":
    main()
