"""On what the figures were measured."""

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.peers.nchan import MODULE
from benchmarks.peers.nginx import find_nginx
from benchmarks.peers.textbook import find_redis_server

PACKAGES = (
    "django",
    "channels",
    "channels-redis",
    "daphne",
    "twisted",
    "autobahn",
    "uvicorn",
    "uvloop",
    "websockets",
    "fastapi",
    "starlette",
)


def describe_machine() -> dict[str, str]:
    """Processor, cores, memory and kernel."""
    information = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", information, re.MULTILINE)
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory_gb:.0f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
    }


def describe_versions() -> dict[str, str]:
    """Versions of everything that is compared; what is not installed is not there."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    if nginx := find_nginx():
        shown = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=False).stderr
        versions["nginx"] = shown.strip().rpartition("/")[2]
    if MODULE.exists():
        query = ["dpkg-query", "--show", "--showformat=${Version}", "libnginx-mod-nchan"]
        try:
            versions["nchan"] = subprocess.run(query, capture_output=True, text=True, check=False).stdout or "unknown"
        except OSError:
            versions["nchan"] = "unknown"
    if redis := find_redis_server():
        shown = subprocess.run([str(redis), "--version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"v=(\S+)", shown)
        versions["redis"] = found[1] if found else "unknown"
    return versions
