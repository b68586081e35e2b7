"""A long history for tests, in whichever database."""

import psycopg
from psycopg import sql

from metrics.catalogue import CATALOGUE
from tests.processes import run_manage

#: Snapshots in it: about 8 MB, more than the kernel's own buffers hold for one connection.
STORED = 20_000

CODE = f"""
import time
from metrics.catalogue import CATALOGUE
from metrics.models import SnapshotRecord
now = round(time.time() * 1000) - 5000
SnapshotRecord.objects.bulk_create(
    [SnapshotRecord(id=now - 10 * n, time_ms=now - 10 * n, previous=now - 10 * n - 10, interval_s=0.01,
        source_system="host", source_ai="mock", source_portfolio="mock",
        problem_count=0, problems="{{}}", observed="{{}}",
        **{{m.key: m.fallback for m in CATALOGUE}}) for n in range({STORED})], batch_size=5000)
"""


def fill_history(server_environment: dict[str, str]) -> None:
    """Put STORED snapshots into the server's database, one every 10 ms until a moment ago."""
    for words in (["migrate", "-v0"], ["shell", "-c", CODE]):
        run_manage(*words, **server_environment).check_returncode()


def fill_postgresql(url: str, count: int, last_ms: int) -> None:
    """Put `count` snapshots up to a time (Unix ms) into migrated tables, one every 3 s: a million in some seconds."""
    time = f"{last_ms} - ({count} - i) * 3000"
    columns = {
        **dict.fromkeys(("id", "time_ms"), time),
        "previous": f"{time} - 3000",
        **dict.fromkeys(("source_system", "source_ai", "source_portfolio"), "'redis'"),
        **dict.fromkeys(("problems", "observed"), "'{}'"),
        "interval_s": "3",
        "term": "1",
        "problem_count": "0",
        "stand_ins": "''",
        **{metric.key: f"'{metric.fallback}'" for metric in CATALOGUE},
        "pnl": "(i * 7919 % 1000007) / 100.0",
    }
    statement = sql.SQL("INSERT INTO metrics_snapshotrecord ({}) SELECT {} FROM generate_series(1, {}::bigint) AS n(i)")
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    values = sql.SQL(", ".join(columns.values()))
    with psycopg.connect(url) as connection:
        connection.execute(statement.format(names, values, sql.Literal(count)))
        connection.execute("ANALYZE metrics_snapshotrecord")
