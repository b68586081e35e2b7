"""A long history for tests, in whichever database."""

from tests.processes import UNMEASURED, run_manage

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
        run_manage(*words, **{**UNMEASURED, **server_environment}).check_returncode()
