"""A history with everything in it that charts must tell apart, in the database of a server that is not started yet."""

import time
from typing import Any

from tests.processes import run_manage

#: Seconds before now: where which metrics of the group `ai` were not real, a gap, and a time of simulated values.
STALE = (300, 500)
FALLBACK = (700, 900)
MISSING = (1100, 1200)
GAP = (1500, 1620)
SIMULATED = (1800, 2100)
#: As far back as it goes, and the seconds between two snapshots.
OLDEST = 21_000
INTERVAL = 3

CODE = f"""
import os
from metrics.catalogue import METRICS, Group, SourceKind
from metrics.models import SnapshotRecord, SourceSwitch
from metrics.reading import Problem
from metrics.snapshot import Snapshot

AI = [key for key, metric in METRICS.items() if metric.group is Group.AI]
FLAWS = [({STALE}, Problem.STALE), ({FALLBACK}, Problem.UNREACHABLE), ({MISSING}, Problem.MISSING)]
now = float(os.environ["VARIED_NOW"])
previous, records = None, []
for age in range({OLDEST}, 0, -{INTERVAL}):
    if {GAP[0]} <= age < {GAP[1]}:
        continue
    values = {{key: metric.fallback for key, metric in METRICS.items()}}
    values |= {{"latency": 100 + age % 7, "accuracy": 0.8, "pnl": 124000.0 + age % 11}}
    values["regime"] = "bull" if age > 4000 else "bear"
    values["latency"] = 959 if age % 600 == 0 else values["latency"]
    ai, problems = SourceKind.REDIS, {{}}
    for (first, last), problem in FLAWS:
        if first <= age < last:
            problems = dict.fromkeys(AI, problem)
            values |= dict.fromkeys(AI) if problem is Problem.MISSING else {{"latency": 400, "accuracy": 0.5}}
    if {SIMULATED[0]} <= age < {SIMULATED[1]}:
        ai = SourceKind.MOCK
        values["latency"] = 400
    sources = {{Group.SYSTEM: SourceKind.HOST, Group.AI: ai, Group.PORTFOLIO: SourceKind.REDIS}}
    problems = {{key: problems[key] for key in METRICS if key in problems}}
    place = round((now - age) * 1000)
    snapshot = Snapshot(place, previous, place / 1000, {INTERVAL}.0, values, sources, problems, {{}})
    records.append(SnapshotRecord.from_snapshot(snapshot, 1))
    previous = place
SnapshotRecord.objects.bulk_create(records)
for age, kinds in (({SIMULATED[1]}, ("redis", "mock")), ({SIMULATED[0]}, ("mock", "redis"))):
    SourceSwitch.objects.create(
        time_ms=round((now - age) * 1000), group="ai", from_kind=kinds[0], to_kind=kinds[1], by="ada")
"""


def fill_varied(server: Any) -> float:
    """Put it into the database of `server`, until a moment ago; return what ages count from, Unix seconds."""
    now = time.time()
    environment = {**server.environment, "VARIED_NOW": str(now)}
    for words in (["migrate", "-v0"], ["shell", "-c", CODE]):
        run_manage(*words, **environment).check_returncode()
    return now
