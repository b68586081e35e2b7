"""The database: whether it answers, is of this release, agrees on the time, and has room."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

from metrics.kept_connection import find_sqlite_file
from metrics.models import SnapshotRecord
from streaming.doctor.finding import Finding
from streaming.reasons import CLOCK_OFFSET_S

TABLE = SnapshotRecord._meta.db_table
#: Bytes that a snapshot takes with its indexes, where there are too few to measure it (docs/operations.md).
ASSUMED_BYTES, TOO_FEW = {"sqlite": 200, "postgresql": 280}, 10_000
#: What can be given back is worth it from so many bytes on, and from this part of all.
WORTH_BYTES, WORTH_PART = 50_000_000, 0.3
MB = 1e6


class Size(NamedTuple):
    """Of history, in bytes: what it takes, and how much of that is empty (kept for what comes). `rows` in it."""

    taken: int
    empty: int
    rows: int


def ask(statement: str, *values: Any) -> Any:
    """The first column of a statement's first row. Raises django.db.Error."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    return row[0] if row else None


def examine_migrations() -> Iterator[Finding]:
    """Whether it answers, and its tables are those of this release."""
    connection = connections[DEFAULT_DB_ALIAS]
    began = time.perf_counter()
    ask("SELECT 1")
    took_ms = (time.perf_counter() - began) * 1000
    yield Finding("database", f"{connection.display_name} answers (after {took_ms:.0f} ms)")
    executor = MigrationExecutor(connection)
    pending = [
        f"{step.app_label}.{step.name}" for step, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())
    ]
    if pending:
        said = f"{len(pending)} are pending ({', '.join(pending[:3])}{' …' if len(pending) > 3 else ''})"
        yield Finding("migrations", said, "manage.py migrate (back up before: manage.py backup FILE)")
    else:
        yield Finding("migrations", "all made")


def examine_clock() -> Iterator[Finding]:
    """This host's clock against the database's, where that is another host."""
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        yield Finding("database's clock", "is this host's")
        return
    before = time.time()
    theirs = float(ask("SELECT extract(epoch FROM clock_timestamp())"))
    yield compare_clocks("database's clock", (before + time.time()) / 2 - theirs)


def compare_clocks(subject: str, ahead_s: float) -> Finding:
    """What it means that this host's clock is `ahead_s` seconds ahead of another one's."""
    if abs(ahead_s) <= CLOCK_OFFSET_S:
        return Finding(subject, f"within {CLOCK_OFFSET_S:g} s of this host's")
    way = "ahead of it" if ahead_s > 0 else "behind it"
    return Finding(subject, f"this host's is {abs(ahead_s):.1f} s {way}", "timedatectl set-ntp true, on both")


def measure() -> Size:
    """How large history is. Raises django.db.Error."""
    if connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
        taken, rows = ask("SELECT pg_total_relation_size(%s)", TABLE), SnapshotRecord.objects.count()
        width = ask("SELECT sum(avg_width * (1 - null_frac)) + 28 FROM pg_stats WHERE tablename = %s", TABLE)
        table = ask("SELECT pg_relation_size(%s)", TABLE)
        return Size(taken, max(table - round(rows * float(width)), 0) if width else 0, rows)
    page, pages, free = (ask(f"PRAGMA {name}") for name in ("page_size", "page_count", "freelist_count"))
    return Size(page * pages, page * free, SnapshotRecord.objects.count())


def find_disk() -> Path | None:
    """A folder on the database's disk; None where that is on another machine, or not to be seen from here."""
    path = find_sqlite_file()
    if path is not None:
        return path.absolute().parent
    if settings.DATABASES[DEFAULT_DB_ALIAS].get("HOST") not in {None, "", "localhost", "127.0.0.1", "::1"}:
        return None
    may_know = "CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory') END"
    folder = Path(ask(f"SELECT {may_know}") or "")
    return folder if folder.is_absolute() and os.access(folder, os.X_OK) else None


def examine_disk() -> Iterator[Finding]:
    """How long the disk lasts at one snapshot each STREAM_INTERVAL, until as many go as come."""
    size = measure()
    used = size.taken - size.empty
    each = used / size.rows if size.rows >= TOO_FEW else ASSUMED_BYTES[connections[DEFAULT_DB_ALIAS].vendor]
    interval_s, retention_s = settings.STREAM_INTERVAL, settings.HISTORY_RETENTION.total_seconds()
    full = each * retention_s / interval_s
    said = (
        f"history takes {size.taken / MB:,.0f} MB; {full / MB:,.0f} MB when HISTORY_RETENTION is full "
        f"({each:.0f} bytes a snapshot, {each * 7 * 86400 / interval_s / MB:,.0f} MB a week)"
    )
    disk = find_disk()
    if disk is None:
        yield Finding("disk", f"{said}; the database's disk cannot be seen from here")
        return
    free = shutil.disk_usage(disk).free
    if full - used > free:
        days = free / (each * 86400 / interval_s)
        yield Finding(
            "disk",
            f"{said}; {free / MB:,.0f} MB are free: full in {days:.1f} days",
            f"make room there, or shorten HISTORY_RETENTION to {max(int(retention_s / 86400 * free / full), 1)}d",
        )
    else:
        yield Finding("disk", f"{said}; {free / MB:,.0f} MB are free, which lasts")


def examine_waste() -> Iterator[Finding]:
    """Whether giving back what is empty would pay. What little deleting leaves behind is used for what comes."""
    size = measure()
    said = f"{size.empty / MB:,.0f} of {size.taken / MB:,.0f} MB are empty"
    if size.empty < max(WORTH_BYTES, WORTH_PART * size.taken):
        yield Finding("vacuum", f"{said}: they are used for what comes")
    elif connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
        yield Finding("vacuum", said, f"manage.py dbshell -- -c 'VACUUM FULL {TABLE}' (history waits meanwhile)")
    else:
        vacuum = """manage.py shell -c 'from django.db import connection; connection.cursor().execute("VACUUM")'"""
        yield Finding("vacuum", said, f"{vacuum} (history waits meanwhile)")
