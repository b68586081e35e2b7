"""The socket that a server listens at: opened by itself, or handed on by whoever started it.

A socket that was handed on is shared: by several workers, each of which takes connections from the same queue, or by
a service and the one that follows it, so that a restart turns nobody away (systemd's socket activation,
sd_listen_fds(3)).
"""

import os
import socket
from pathlib import Path
from typing import Any

from django.conf import settings

from streaming.servers import BACKLOG, Address, ServerError, unacknowledged_s

#: The first descriptor that systemd hands on.
FIRST = 3
#: Of this process, as it began.
ENVIRONMENT = Path("/proc/self/environ")
#: The option of watch_peers; None: there is none but on Linux, and every ping is sent.
USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)


def find_handed_on() -> int | None:
    """The descriptor of a listening socket that was handed on to this very process; None: it is to open one.

    The environment is asked as it was when the process began: Twisted takes these variables out of it.
    """
    try:
        lines = ENVIRONMENT.read_bytes().split(b"\0")
    except OSError:  # not Linux: there is no systemd
        return None
    said = dict(line.split(b"=", 1) for line in lines if line.startswith(b"LISTEN_") and b"=" in line)
    is_ours = said.get(b"LISTEN_PID") == str(os.getpid()).encode() and said.get(b"LISTEN_FDS", b"0") != b"0"
    return FIRST if is_ours else None


def open_socket(address: Address) -> socket.socket:
    """Listen at `address`. Raises ServerError where that is not possible."""
    try:
        family, _, _, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(place[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise ServerError(f"Cannot listen on {address.host}:{address.port}: {error.strerror}.") from None


def adopt(descriptor: int) -> socket.socket:
    """The socket of `descriptor`, which the process was given. Raises ServerError where it is none that listens."""
    try:
        adopted = socket.socket(fileno=descriptor)
        if adopted.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            adopted.setblocking(False)
            return adopted
    except OSError as error:
        raise ServerError(f"Descriptor {descriptor} is no socket: {error.strerror}.") from None
    raise ServerError(f"Descriptor {descriptor} is a socket that does not listen.")


def watch_peers(listening: Any) -> None:
    """Have the kernel end what is accepted at the socket `listening` where a peer acknowledges nothing for too long.

    A connection has the option from the socket that it was accepted at (tcp(7)). One that came in the moment between a
    server's listening and this call has not, and is found by the pings that are sent all the same.
    """
    if USER_TIMEOUT is not None:
        milliseconds = round(unacknowledged_s(settings.STREAM_SEND_TIMEOUT) * 1000)
        listening.setsockopt(socket.IPPROTO_TCP, USER_TIMEOUT, milliseconds)
