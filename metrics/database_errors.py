"""Says what is wrong with the database, and what to do about it, in a sentence for the person who has to."""

import os
import shutil
from pathlib import Path

from metrics.kept_connection import find_sqlite_file

MIGRATE = "run `manage.py migrate`"

#: A part of what SQLite says, with what to do.
SQLITE = {
    "file is not a database": f"it is damaged: put a backup in its place, or move it away and {MIGRATE}",
    "disk image is malformed": f"it is damaged: put a backup in its place, or move it away and {MIGRATE}",
    "no such table": f"it has not got the dashboard's tables: {MIGRATE}",
    "no such column": f"it is of another version: {MIGRATE}",
    "has no column": f"it is of another version: {MIGRATE}",
    "is locked": "another process keeps it locked: look for whoever has it open (`fuser`), a backup or a shell, say",
    "disk i/o error": "the disk fails, or what belongs to it (its -wal and -shm files) was removed: look at the disk",
}
#: A part of what PostgreSQL or its client says, with what to do.
POSTGRESQL = {
    "connection refused": "nothing listens there: start PostgreSQL, or correct DATABASE_URL",
    "could not translate host name": "there is no such host: correct DATABASE_URL",
    "name or service not known": "there is no such host: correct DATABASE_URL",
    "failed to resolve host": "there is no such host: correct DATABASE_URL",
    "authentication failed": "correct the user or the password in DATABASE_URL",
    "no password supplied": "DATABASE_URL needs a password",
    "no pg_hba.conf entry": "allow this host in PostgreSQL's pg_hba.conf",
    "does not exist": f"create what DATABASE_URL names, or {MIGRATE} where it is a table or a column",
    "permission denied": "grant the user of DATABASE_URL what it needs",
    "too many clients": "end some connections, or let max_connections be more",
    "connection slots": "end some connections, or let max_connections be more",
    "starting up": "PostgreSQL is starting: wait",
    "shutting down": "PostgreSQL is being stopped: start it again",
    "terminating connection": "PostgreSQL was stopped, or somebody ended the connection: it is opened again",
    "closed the connection": "PostgreSQL was stopped, or somebody ended the connection: it is opened again",
    "connection timeout": "PostgreSQL or the network to it hangs: look whether it answers",
    "timeout expired": "PostgreSQL or the network to it hangs: look whether it answers",
    "lock timeout": "somebody keeps a table or a row locked: look into pg_stat_activity",
    "statement timeout": "PostgreSQL takes too long: look into pg_stat_activity, and at its disk",
    "read-only transaction": "it is a standby or was made read-only: point DATABASE_URL to the primary",
    "no space left": "its disk is full: make room there",
}

READONLY_DISK = "its file system is read-only: mount it for writing, and look why it is"


def explain_database_error(error: Exception) -> str:
    """What happened, with the file where there is one, and what to do; of an unknown error what it says itself."""
    said = describe(error)
    path = find_sqlite_file()
    if path is not None:
        return explain_sqlite(said, path)
    lower = str(error).lower()
    for part, advice in POSTGRESQL.items():
        if part in lower:
            return f"{said} ({advice})"
    return said


def describe(error: Exception) -> str:
    """The first line of what an exception says, or what it is where it says nothing."""
    lines = str(error).strip().splitlines()
    if lines:
        return lines[0].strip()
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__


def explain_sqlite(said: str, path: Path) -> str:
    lower = said.lower()
    if "unable to open" in lower:
        return f"{said}: {path} {explain_unopened(path)}"
    if "readonly" in lower or "read-only" in lower:
        return f"{said}: {path} ({explain_readonly(path)})"
    if "is full" in lower:
        return f"{said}: {path} ({explain_full(path)})"
    for part, advice in SQLITE.items():
        if part in lower:
            return f"{said}: {path} ({advice})"
    return f"{said}: {path}"


def explain_unopened(path: Path) -> str:
    """Why a file cannot be opened."""
    if path.is_dir():
        return "is a folder (move it away, or correct DATABASE_URL)"
    if not path.parent.is_dir():
        return f"cannot be there, for {path.parent} is no folder (create it, or correct DATABASE_URL)"
    if not path.exists():
        return f"is not there (bring the file back, or {MIGRATE} to begin with a new one)"
    if is_on_readonly_disk(path):  # to be read, it needs files beside it
        return f"cannot be opened, for {READONLY_DISK}"
    if not os.access(path, os.R_OK):
        return "may not be read by this user (give it the right)"
    if not os.access(path.parent, os.W_OK):
        return f"needs files beside it, and this user may not write into {path.parent} (give it the right)"
    return "cannot be opened (look at the file's rights, at its disk, and at how many files this process has open)"


def explain_readonly(path: Path) -> str:
    """Why a file cannot be written."""
    for place, name in ((path, "the file"), (path.parent, f"the folder {path.parent}")):
        if is_on_readonly_disk(place):
            return READONLY_DISK
        if not os.access(place, os.W_OK):
            return f"this user may not write {name}: give it the right"
    return "the file was replaced or its rights were changed: it is opened again"


def is_on_readonly_disk(place: Path) -> bool:
    try:
        return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def explain_full(path: Path) -> str:
    """What is full."""
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return "make room on its disk"
    return f"{free / 1e6:.1f} MB are free on its disk: make room, or shorten HISTORY_RETENTION"
