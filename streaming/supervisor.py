"""Tells whoever started this process, and starts it anew when it hangs, that it serves and that it is well.

systemd listens at a socket of its own (sd_notify(3), NOTIFY_SOCKET); the parent of several workers at a pipe.
"""

import os
import socket
from contextlib import suppress


def notify(*lines: str) -> None:
    """Tell systemd, where it asked to be told: "READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS=…"."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # no file: an abstract name
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)
        sender.sendto("\n".join(lines).encode(), address)


def without_notifications(environment: dict[str, str]) -> dict[str, str]:
    """`environment` for a process whose parent does the talking."""
    return {name: value for name, value in environment.items() if name not in {"NOTIFY_SOCKET", "WATCHDOG_USEC"}}


class Parent:
    """The parent of this worker, at the other end of a pipe: it reads a byte when this serves, and then its pulses."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)  # a parent that hangs holds up nobody
        self._descriptor = descriptor

    def tell(self) -> None:
        """It serves, or: it is well still."""
        with suppress(OSError):
            os.write(self._descriptor, b"1")
