"""What this machine allows: open files, the queue of connections, the files that were collected."""

import filecmp
import json
import resource
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from streaming.doctor.finding import Finding
from streaming.limits.places import OTHER_FILES, RESERVE
from streaming.servers import BACKLOG

SOMAXCONN = Path("/proc/sys/net/core/somaxconn")
#: Fewer connections than that are too few for a server that others reach.
FEW = 500


def examine_files() -> Iterator[Finding]:
    """Open files that a process may have, against CONNECTIONS. A server takes what it may have for itself."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        yield Finding("open files", "as many as wanted")
        return
    places = max(most - OTHER_FILES - RESERVE, 0)
    said = f"{most:,} for each process, as started here: enough for {places:,} connections"
    wanted = settings.CONNECTIONS or FEW
    needed = wanted + OTHER_FILES + RESERVE
    if places < wanted:
        do = f"ulimit -n {needed}, or LimitNOFILE={needed} in the systemd unit (CONNECTIONS={settings.CONNECTIONS})"
        yield Finding("open files", said, do)
    else:
        yield Finding("open files", said)


def examine_queue() -> Iterator[Finding]:
    """How many connections may wait to be accepted: after a restart all clients come back at once."""
    try:
        most = int(SOMAXCONN.read_text())
    except (OSError, ValueError):
        yield Finding("somaxconn", "this system does not tell")
        return
    said = f"{most:,} connections may wait to be accepted"
    yield Finding("somaxconn", said, f"sysctl -w net.core.somaxconn={BACKLOG}" if most < BACKLOG else "")


def examine_static_files() -> Iterator[Finding]:
    """Whether what pages load was collected, and since it was changed last."""
    if settings.DEBUG:
        yield Finding("static files", "served as they are (DEBUG)")
        return
    collect = "manage.py collectstatic --noinput"
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    try:
        names = json.loads(manifest.read_text())["paths"]
    except (OSError, ValueError, KeyError) as error:
        yield Finding("static files", f"not collected ({manifest.name}: {error})", collect)
        return
    missing = [name for name in names.values() if not (manifest.parent / name).is_file()]
    changed = [
        str(path.relative_to(folder))
        for folder in map(Path, settings.STATICFILES_DIRS)
        for path in folder.rglob("*")
        if path.is_file() and not is_collected(path, manifest.parent / path.relative_to(folder))
    ]
    if missing or changed:
        said = f"{len(missing)} collected files are missing, {len(changed)} are not as in the code"
        yield Finding("static files", f"{said} ({(missing + changed)[0]})", collect)
    else:
        yield Finding("static files", f"{len(names)} collected")


def is_collected(path: Path, copy: Path) -> bool:
    """Whether `copy` is there and the same."""
    return copy.is_file() and filecmp.cmp(path, copy, shallow=False)
