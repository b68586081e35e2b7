"""Puts a backup in the place of the database of DATABASE_URL.

What clients have got since is not in it. The journal, which stays, knows the newest snapshot even when all are stored
(Redis does, where there is one): the sequence goes on from that, and whoever lacks what is gone is told (`missed`).
"""

import os
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections

from metrics.history.journal_state import look_at_journal
from streaming.keeping import postgresql_copies, sqlite_copies
from streaming.keeping.backup import Kept, know_sqlite_file
from streaming.keeping.keeping_error import KeepingError
from streaming.keeping.kinds import Kind, know_kind
from streaming.keeping.migrations import refuse_newer
from streaming.keeping.new_file import written_beside
from streaming.keeping.postgresql_dump import read_dump
from streaming.keeping.publishers import STOP, refuse_running

MISSED = "Clients that lack what is not in the backup are told (`missed`)."
IS_THERE = "There is a database already ({}). Back it up if you need it; --replace puts the backup in its place."


def restore(path: Path, *, replaces: bool) -> Kept:
    """Restore the file `path` and migrate what it is of an older release (blocking); what is there then.

    `replaces`: whether a database that is there may be replaced. Raises KeepingError; then it is as it was, unless that
    says otherwise.
    """
    kind = know_kind(path)
    wanted = Kind.POSTGRESQL if connections[DEFAULT_DB_ALIAS].vendor == "postgresql" else Kind.SQLITE
    if kind is not wanted:
        raise KeepingError(
            f"{path} is a backup of {kind}, and DATABASE_URL names a database of {wanted}. Restore it where it is "
            "from; `manage.py copy_database` moves from SQLite to PostgreSQL."
        )
    refuse_running(settings.STREAM_JOURNAL, settings.REDIS_URL)
    put_back = put_postgresql_back if kind is Kind.POSTGRESQL else put_sqlite_back
    kept = put_back(path, replaces)
    call_command("migrate", verbosity=0)
    return kept


def put_postgresql_back(path: Path, replaces: bool) -> Kept:
    """What is there then. Raises KeepingError."""
    if (tables := postgresql_copies.find_tables()) and not replaces:
        raise KeepingError(IS_THERE.format(f"with {len(tables)} of the dashboard's tables"))
    connections.close_all()
    if others := postgresql_copies.count_others():
        raise KeepingError(f"{others} others are connected to the database. {STOP}")
    dumped = read_dump(path)
    refuse_newer(dumped.migrations)
    postgresql_copies.put_back(path, dumped)
    rows = sum(digest.rows for digest in dumped.digests.values())
    return Kept(Kind.POSTGRESQL, len(dumped.columns), rows, dumped.chain)


def put_sqlite_back(path: Path, replaces: bool) -> Kept:
    """As put_postgresql_back."""
    place = know_sqlite_file()
    if not place.parent.is_dir():
        raise KeepingError(f"{place.parent} is no folder: create it, or correct DATABASE_URL.")
    is_there = place.exists() and place.stat().st_size > 0
    if is_there and not replaces:
        raise KeepingError(IS_THERE.format(place))
    if is_there and path.samefile(place):
        raise KeepingError(f"{path} is the database itself.")
    contents = sqlite_copies.read_contents(path)
    refuse_newer(contents.migrations)
    connections.close_all()
    if is_there and sqlite_copies.is_in_use(place):
        raise KeepingError(f"Another process has {place} open. {STOP} (`fuser {place}` tells which.)")
    with written_beside(place, replaces=True) as beside:
        sqlite_copies.copy(path, beside)
        give_to_owner(beside, place if is_there else place.parent)
        for suffix in ("-wal", "-shm", "-journal"):  # of the one that goes: with the new one it would be read
            Path(f"{place}{suffix}").unlink(missing_ok=True)
    return Kept(Kind.SQLITE, len(contents.rows), sum(contents.rows.values()), contents.chain)


def give_to_owner(path: Path, model: Path) -> None:
    """Whoever owned what is replaced, or its folder, owns `path`: root restores, and another user serves."""
    owner = model.stat()
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)


def explain_sequence(restored: int | None) -> str:
    """How the sequence goes on after a database whose newest snapshot is `restored`."""
    known = look_at_journal(settings.STREAM_JOURNAL)
    kept = f"{known.unstored} snapshots that it has, too, are stored then. " if known.unstored else ""
    if settings.REDIS_URL:
        return f"The sequence goes on from the newest snapshot in Redis, which has the last minutes. {kept}{MISSED}"
    if known.newest is not None and known.newest.id > (restored or 0):
        return f"The sequence goes on from {known.newest.id}, which the journal knows. {kept}{MISSED}"
    return (
        "Nobody here knows what was published after it. Clients that have some of that are told, when they come back, "
        "that the sequence has gone on without (`missed`)."
    )
