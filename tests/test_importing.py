"""Nothing happens because a module was imported: no setting is read, no task or thread starts, nothing connects."""

import subprocess
import sys

from tests.processes import ROOT

#: Imports every module of the apps, except the composition root, with settings that note who reads ours.
PROGRAM = """
import importlib, pkgutil, threading
import django
from django.conf import settings
import metrics, streaming

OURS = ("STREAM_", "HISTORY_", "REDIS_URL", "METRICS_REDIS_URL", "MOCK_")
read = set()

class Watched:
    def __init__(self, inner):
        self.inner = inner
    def __getattr__(self, name):
        if name.startswith(OURS):
            read.add(name)
        return getattr(self.inner, name)

settings.DEBUG  # they are there now
settings._wrapped = Watched(settings._wrapped)
django.setup()
threads = threading.active_count()
for package in (metrics, streaming):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)
during = sorted(read)
settings.STREAM_INTERVAL
print("read", during, "threads", threading.active_count() - threads, "noticed", sorted(read))
"""


def test_importing_reads_no_setting_and_starts_nothing() -> None:
    command = [sys.executable, "-c", PROGRAM]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert answer.stdout == "read [] threads 0 noticed ['STREAM_INTERVAL']\n", answer.stderr
