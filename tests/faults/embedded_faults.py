"""What breaks the embedded profile: one process, SQLite."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable

from tests.faults.clock import Clock
from tests.faults.disk import copy_database, corrupt_database, remove_database, restore_database
from tests.faults.stage import Embedded
from tests.faults.trial import Fault

#: Few, for a single process on a busy machine has to start under them again and again.
CLIENTS = 50
HARMED_S = 5.0
HOUR = 3600


async def kill(stage: Embedded) -> None:
    """Between delivery and storage, as often as not."""
    stage.server.kill()
    await stage.start_server(stage.server)


async def freeze(stage: Embedded) -> None:
    """As a laptop that is closed for a moment."""
    await stage.freeze_server(stage.server, 5)


async def end_while_locked(stage: Embedded) -> None:
    """What waits for the database must be there after the next start."""
    with contextlib.closing(sqlite3.connect(stage.database, isolation_level=None, timeout=10)) as somebody:
        somebody.execute("BEGIN IMMEDIATE")  # nobody else can write
        await asyncio.sleep(3)
        await stage.end_server(stage.server)
    await stage.start_server(stage.server)


async def fill_disk(stage: Embedded) -> None:
    """Neither database nor journal can be written."""
    stage.disk.fill()
    await asyncio.sleep(HARMED_S)
    stage.disk.free()


async def delete_database(stage: Embedded) -> None:
    """The operator makes a new one."""
    note_forgotten(stage)
    remove_database(stage.database)
    await asyncio.sleep(HARMED_S)
    await asyncio.to_thread(stage.migrate)


async def replace_database(stage: Embedded) -> None:
    """A backup is put in its place while the server runs."""
    copy = stage.folder / "backup.sqlite3"
    copy_database(stage.database, copy)
    await asyncio.sleep(3)
    note_forgotten(stage)
    restore_database(stage.database, copy)
    await asyncio.sleep(HARMED_S)


async def harm_database(stage: Embedded) -> None:
    """Its pages are overwritten; the operator puts a backup in its place."""
    copy = stage.folder / "backup-before-harm.sqlite3"
    copy_database(stage.database, copy)
    note_forgotten(stage)
    corrupt_database(stage.database)
    await asyncio.sleep(HARMED_S)
    restore_database(stage.database, copy)


def note_forgotten(stage: Embedded) -> None:
    """What is kept up to now is lost with the file, and what was written a moment ago as well."""
    rows = stage.read_rows()
    stage.forgotten = rows[-1].id if rows else 0


def step_clock(offset_s: int) -> Callable[[Embedded], Awaitable[None]]:
    """The server's clock is set, and set right again."""

    async def step(stage: Embedded) -> None:
        clock = Clock(stage.folder / "clock")
        for offset in (offset_s, 0):
            clock.set(offset)
            await asyncio.sleep(4)

    return step


KILLED = Fault("Embedded: killed", "kill -9 and start", kill, 10, CLIENTS)
ENDED_WHILE_LOCKED = Fault(
    "Embedded: ended while locked",
    "SIGTERM while somebody else keeps the database locked",
    end_while_locked,
    2,
    CLIENTS,
)
FAULTS = [
    KILLED,
    Fault("Embedded: frozen", "SIGSTOP for 5 s", freeze, 1, CLIENTS),
    ENDED_WHILE_LOCKED,
    Fault("Embedded: database deleted", f"for {HARMED_S:g} s, then migrate", delete_database, 1, CLIENTS),
    Fault("Embedded: database replaced", "by a backup, while it runs", replace_database, 1, CLIENTS),
    Fault("Embedded: database harmed", "all but its first page, then a backup", harm_database, 1, CLIENTS),
]
DISK_FULL = Fault("Embedded: disk full", f"for {HARMED_S:g} s", fill_disk, 1, CLIENTS)
#: These need a server whose clock can be set.
CLOCKS = [
    Fault("Embedded: clock forward", "1 h ahead for 4 s, and back", step_clock(HOUR), 1, CLIENTS),
    Fault("Embedded: clock back", "1 h behind for 4 s, and right again", step_clock(-HOUR), 1, CLIENTS),
]
