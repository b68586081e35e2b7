"""Says where a server can be reached that has begun to listen: only by names that it answers to."""

import socket

from django.conf import settings

from streaming.delivery.origin import is_own_host

#: Listening there is listening at every address of this machine; none of them is an address to go to.
EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104  # compared with, not bound to
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def describe_addresses(host: str, port: int) -> str:
    """Lines that name the addresses of a server that listens at `host` and `port`, and what is missing for others."""
    name = f"[{host}]" if ":" in host else host
    notes = []
    if host in EVERYWHERE:
        elsewhere = find_names()
        name = next(filter(is_own_host, LOOPBACK), elsewhere[0] if elsewhere else "localhost")
        notes = [f"Elsewhere  http://{other}:{port}/" for other in elsewhere] or [explain_refusal(socket.gethostname())]
    elif not is_own_host(name):
        notes = [explain_refusal(name)]
    lines = (
        f"Dashboard  http://{name}:{port}/",
        f"Stream     ws://{name}:{port}/stream/live",
        f"Health     http://{name}:{port}/stream/health",
        f"Admin      http://{name}:{port}/admin/",
        *notes,
    )
    return "".join(f"{line}\n" for line in lines)


def find_names() -> list[str]:
    """By which names other machines may ask for this site: this machine's where it is allowed, and ALLOWED_HOSTS."""
    declared = [name for name in settings.ALLOWED_HOSTS if not name.startswith((".", "*"))]
    names = dict.fromkeys((socket.gethostname(), *declared))
    return [name for name in names if name not in LOOPBACK and is_own_host(name)]


def explain_refusal(name: str) -> str:
    """What to set so that a server answers to `name`."""
    allowed = ",".join(dict.fromkeys((*settings.ALLOWED_HOSTS, name)))
    return f"Elsewhere  not yet: requests for {name} get 400. Set ALLOWED_HOSTS={allowed} and start again."
