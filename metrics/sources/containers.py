"""Counts the containers that run on this host.

Docker, containerd, CRI-O and Podman all put a container's processes into a control group named after its 64-digit id,
whatever the cgroup version and driver. So the running containers are the different ids in `/proc/*/cgroup`; Kubernetes'
pause containers count as the containers they are. Engines that use other names (LXC, systemd-nspawn) are not counted.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path

CONTAINER_ID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
#: After how many times each process is asked again.
LOOK_AGAIN = 10
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

    A process's groups are read when it is seen first, once more the next time (an engine starts a process and then puts
    it into its container's group, within milliseconds), and then each LOOK_AGAIN times, for whatever may have moved it,
    or taken its number.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        """`proc`: where the kernel shows its processes."""
        self._proc = proc
        self._found: dict[str, Collection[bytes]] = {}  # the ids in each process's groups
        self._settled: set[str] = set()  # the processes that need not be asked
        self._counted = 0

    def count(self) -> int | None:
        """How many there are now; None where that cannot be known from here (blocking)."""
        if self._counted % LOOK_AGAIN == 0:
            self._settled.clear()
            if not sees_whole_host(self._proc):
                return None
        self._counted += 1
        before, self._found = self._found, {}
        for name in os.listdir(self._proc):
            if name in self._settled:
                self._found[name] = before[name]
            elif name.isdigit():
                self._found[name] = CONTAINER_ID.findall(read_file(f"{self._proc}/{name}/cgroup"))
        self._settled = before.keys() & self._found.keys()
        return len(set().union(*self._found.values()))


def read_file(path: str) -> bytes:
    """What is in a small file of /proc; nothing where its process has ended meanwhile.

    By the system's own calls: `open` asks three times more what it has opened, for each process that there is.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, MOST)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
