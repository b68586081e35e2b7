"""What history costs to keep: `python -m benchmarks.storage` (or `make bench-storage`), on SQLite and on PostgreSQL.

Of a million snapshots: their size; how long pruning keeps others from writing, and whether the tables grow while as
much comes as goes; how long each migration of the history takes. The figures of docs/operations.md.
"""

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.postgresql import Postgresql

#: Snapshots in the table; how many come and go then; seconds between two.
COUNT, CHURN, INTERVAL_S = 1_000_000, 100_000, 3
#: Seconds after which somebody who waits for a lock gives up, and counts it.
PATIENCE_S = 0.05
#: Snapshots that are written at once.
WRITTEN = 10
#: The migrations of the history that have to do with rows that are there, and the one before them.
FIRST, LATER = "0003", ("0004", "0005", "0006", "0007")

#: A snapshot's time (ms) and values, as SQL, of its number `i`.
TIME = "1700000000000 + CAST(i AS bigint) * 3000"
VALUES = {
    "interval_s": "3.0",
    **dict.fromkeys(("source_system", "source_ai", "source_portfolio"), "'redis'"),
    "problem_count": "0",
    **dict.fromkeys(("problems", "observed"), "'{}'"),
    **dict.fromkeys(("cpu", "ram", "pnl"), "(i * 7919 % 10007) / 100.0"),
    **dict.fromkeys(("accuracy", "exposure", "risk", "volatility", "sharpe"), "(i * 7919 % 997) / 1000.0"),
    **dict.fromkeys(("containers", "positions"), "i % 30"),
    "latency": "i * 7919 % 1000",
    "regime": "'sideways'",
}


def set_up() -> None:
    """Have Django, with the database that the environment names."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "quantum_dashboard.settings"
    django.setup()


def measure_size() -> int:
    """Bytes of the history and its indexes."""
    from django.db import connection

    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        else:
            cursor.execute("SELECT pg_total_relation_size('metrics_snapshotrecord')")
        return int(cursor.fetchone()[0])


def probe() -> None:
    """Take the lock that writing needs, again and again until nobody listens, and note how long that took."""
    set_up()
    from django.db import OperationalError, connection, transaction

    from metrics.models import DataSource

    patience_ms = round(PATIENCE_S * 1000)
    sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {patience_ms}" if sqlite else f"SET lock_timeout = {patience_ms}")
    found: list[float] = []
    failed = 0
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0.002)[0]:
        began = time.perf_counter()
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                if not sqlite:
                    cursor.execute("LOCK TABLE metrics_snapshotrecord IN ROW EXCLUSIVE MODE")
                DataSource.objects.filter(group="").update(kind="")
        except OperationalError:
            failed += 1
        found.append(time.perf_counter() - began)
    print(f"others: {describe(found)} of {len(found):,}; {failed} gave up after {patience_ms} ms", flush=True)


def churn() -> None:
    """Let as much go as comes, while another process wants to write."""
    set_up()
    from dataclasses import replace

    from metrics.history.store import find_oldest_ms, prune, write
    from metrics.history.writer import PRUNED
    from metrics.models import SnapshotRecord

    before = measure_size()
    newest = SnapshotRecord.objects.all()[0].to_snapshot()
    other = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.storage", "probe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "ready\n"
    pruned: list[float] = []
    worked: list[float] = []
    for _ in range(CHURN // PRUNED):
        for _ in range(PRUNED // WRITTEN):
            batch = []
            for _ in range(WRITTEN):
                number = newest.id + INTERVAL_S * 1000
                newest = replace(newest, id=number, previous=newest.id, timestamp=number / 1000)
                batch.append((newest, 1))
            write(batch)
            time.sleep(0.005)
        oldest = find_oldest_ms() or 0
        began, worked_before = time.perf_counter(), time.process_time()
        assert prune(oldest + PRUNED * INTERVAL_S * 1000, PRUNED) == PRUNED
        pruned.append(time.perf_counter() - began)
        worked.append(time.process_time() - worked_before)
        time.sleep(0.05)  # as the writer does
    told = other.communicate()[0]
    after = measure_size()
    week = before / COUNT * 7 * 86400 / INTERVAL_S
    print(f"size: {before / COUNT:.0f} bytes a snapshot, {week / 1e6:.0f} MB a week; {before / 1e6:.0f} MB in all")
    print(f"after {CHURN:,} came and went: {after / 1e6:.0f} MB ({after / before - 1:+.1%})")
    print(f"pruning {PRUNED}: {describe(pruned)}, of CPU {describe(worked)}")
    print(told, end="", flush=True)


def describe(times: list[float]) -> str:
    """Median, 99 % and the most, ms."""
    ordered = sorted(times)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    return f"{p50 * 1000:.1f} / {p99 * 1000:.1f} / {ordered[-1] * 1000:.1f} ms (p50 / p99 / max)"


def fill(columns: dict[str, str]) -> None:
    """Put COUNT rows into the history: the columns' values as SQL, of `i` from 1 on."""
    from django.db import connection

    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {COUNT}) "
    source = "n"
    if connection.vendor == "postgresql":
        numbers, source = "", f"generate_series(1, {COUNT}::bigint) AS n(i)"
    into = f"INSERT INTO metrics_snapshotrecord ({', '.join(columns)})"
    with connection.cursor() as cursor:
        cursor.execute(f"{numbers}{into} SELECT {', '.join(columns.values())} FROM {source}")
        cursor.execute("ANALYZE")


def fill_current() -> None:
    """With the tables of this release."""
    set_up()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    now = {"id": TIME, "time_ms": TIME, "previous": f"{TIME} - 3000", "term": "1", "stand_ins": "''"}
    fill({**now, **VALUES})


def migrate() -> None:
    """Fill the table as the first release had it, and time each migration since."""
    set_up()
    from django.core.management import call_command

    call_command("migrate", "metrics", FIRST, verbosity=0)
    fill({"time_ms": TIME, "previous_ms": f"{TIME} - 3000", **VALUES})
    for number in LATER:
        began = time.perf_counter()
        call_command("migrate", "metrics", number, verbosity=0)
        print(f"migration {number}: {time.perf_counter() - began:.1f} s", flush=True)
    from django.db import connection, models

    from metrics.models import SnapshotRecord

    field = models.FloatField(null=True)
    field.set_attributes_from_name("drawdown")
    began = time.perf_counter()
    with connection.schema_editor() as editor:
        editor.add_field(SnapshotRecord, field)
    print(f"a new metric's column: {time.perf_counter() - began:.3f} s", flush=True)


@contextmanager
def databases() -> Iterator[list[tuple[str, str, str]]]:
    """A name and two DATABASE_URLs of each kind, all empty."""
    server = Postgresql()
    try:
        server.start(safe=True)
        subprocess.run(
            ["psql", "-qc", "CREATE DATABASE migrated", server.url.replace("postgres:", "postgresql:")], check=True
        )
        with tempfile.TemporaryDirectory() as folder:
            files = [f"sqlite:///{Path(folder) / name}.sqlite3" for name in ("filled", "migrated")]
            yield [
                ("SQLite", files[0], files[1]),
                ("PostgreSQL", server.url, server.url.removesuffix("postgres") + "migrated"),
            ]
    finally:
        server.remove()


def main() -> None:
    """Measure both."""
    if sys.argv[1:]:
        {"churn": churn, "probe": probe, "migrate": migrate, "fill": fill_current}[sys.argv[1]]()
        return
    with databases() as found:
        for name, filled, migrated in found:
            print(f"{name}, load {os.getloadavg()[0]:.1f}", flush=True)
            for url, words in (
                (filled, ["benchmarks.storage", "fill"]),
                (filled, ["benchmarks.storage", "churn"]),
                (migrated, ["benchmarks.storage", "migrate"]),
            ):
                environment = {**os.environ, "DATABASE_URL": url, "SECRET_KEY": "only-for-this-benchmark-" * 3}
                subprocess.run([sys.executable, "-m", *words], env=environment, check=True)


if __name__ == "__main__":
    main()
