"""Counts the containers that run on this host.

Docker, containerd, CRI-O and Podman all put a container's processes into a control group named after its 64-digit id,
whatever the cgroup version and driver. So the running containers are the different ids in `/proc/*/cgroup`; Kubernetes'
pause containers count as the containers they are. Engines that use other names (LXC, systemd-nspawn) are not counted.
"""

import math
import os
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path

CONTAINER_ID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
#: After how many seconds each process is asked again.
LOOK_AGAIN_S = 10.0
#: Bytes of a process's list of control groups: a line for each hierarchy.
MOST = 65_536
#: The initial namespaces' fixed inode numbers (PROC_PID_INIT_INO and PROC_CGROUP_INIT_INO, include/linux/proc_ns.h).
INITIAL_NAMESPACES = {"pid": "pid:[4026531836]", "cgroup": "cgroup:[4026531835]"}


def sees_whole_host(proc: Path = Path("/proc")) -> bool:
    """Whether all processes of the host are visible: not from inside a container, nor with hidepid, only on Linux."""
    try:
        in_initial = all(os.readlink(proc / "self/ns" / name) == link for name, link in INITIAL_NAMESPACES.items())
        return in_initial and (proc / "1/cgroup").exists()
    except OSError:
        return False


class Containers:
    """The containers that run on this host. To ask each of its processes takes 15 µs for each, cold: so few are asked.

    A process's groups are read when it is seen first, and once more the next time: an engine starts a process and then
    puts it into its container's group, within milliseconds. After that they are read again with all others, every
    LOOK_AGAIN_S seconds, for whatever has moved it since, or taken its number.
    """

    def __init__(self, proc: Path = Path("/proc"), clock: Callable[[], float] = time.monotonic) -> None:
        """`proc`: where the kernel shows its processes. `clock`: seconds."""
        self._proc = proc
        self._clock = clock
        self._found: dict[str, Collection[bytes]] = {}  # the ids in the groups of each process that was read
        self._settled: Collection[str] = ()  # the processes that need not be read
        self._look_again_at = -math.inf

    def count(self) -> int | None:
        """How many there are now; None where that cannot be known from here (blocking). Raises OSError."""
        now, settled = self._clock(), self._settled
        if now >= self._look_again_at:
            if not sees_whole_host(self._proc):
                return None
            self._look_again_at, settled = now + LOOK_AGAIN_S, ()
        found: dict[str, Collection[bytes]] = {}
        for name in os.listdir(self._proc):
            if name in settled:
                found[name] = self._found[name]
            elif name.isdigit() and (groups := read_file(f"{self._proc}/{name}/cgroup")) is not None:
                found[name] = CONTAINER_ID.findall(groups)
        self._settled, self._found = self._found.keys() & found.keys(), found
        return len(set().union(*found.values()))


def read_file(path: str) -> bytes | None:
    """What is in a small file of /proc; None where its process has ended, or nobody may look. Raises OSError.

    By the system's own calls: `open` asks three times more what it has opened, for each process that there is.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(descriptor, MOST)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
