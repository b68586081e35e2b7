"""A clock that can be set for one process, by Debian's libfaketime."""

from pathlib import Path

from tests.processes import need

#: The variant for programs with threads.
LIBRARIES = "**/faketime/libfaketimeMT.so.1"


class Clock:
    """What a process started with `environment` takes for the time. Its monotonic clocks are left alone.

    (Python's `time.sleep` fails in such a process, for libfaketime takes its absolute deadline for a wall clock's;
    what waits on asyncio or on a thread's lock does not.)
    """

    def __init__(self, file: Path) -> None:
        """`file`: where the clock's offset is written."""
        found = sorted(Path("/usr/lib").glob(LIBRARIES))
        library = need(found[0] if found else "/usr/lib/faketime/libfaketimeMT.so.1", "libfaketime")
        self._file = file
        self.environment = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
            # Else it takes the deadlines of Python's own lock for a wall clock's, and threads stall for seconds.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }
        self.set(0)

    def set(self, offset_s: int) -> None:
        """Set it `offset_s` seconds ahead of the true time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+d}\n")
        new.replace(self._file)  # at once: nobody reads half of it
