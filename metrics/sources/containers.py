"""Counts the containers that run on this host.

Docker, containerd, CRI-O and Podman all put a container's processes into a control group named after its 64-digit id,
whatever the cgroup version and driver. So the running containers are the different ids in `/proc/*/cgroup`; Kubernetes'
pause containers count as the containers they are. Engines that use other names (LXC, systemd-nspawn) are not counted.
"""

import os
import re
from pathlib import Path

CONTAINER_ID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
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


def count_containers(proc: Path = Path("/proc")) -> int | None:
    """Return how many containers run on this host, None where that cannot be known from here (blocking)."""
    if not sees_whole_host(proc):
        return None
    found: set[bytes] = set()
    for name in os.listdir(proc):
        if name.isdigit():
            found.update(CONTAINER_ID.findall(read_file(f"{proc}/{name}/cgroup")))
    return len(found)


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
