"""Starts `manage.py` by forking a process that has imported what every start imports: half of what a start costs.

What it starts is a process like any other, a child of whoever asked for it: `manage.py` runs as `__main__`, with
arguments, an environment, a folder and an output of its own. Nothing is imported here that reads the environment or the
settings, makes an event loop or begins a thread. Tests of what a new interpreter does start one (tests/processes.py).

Run as `python -m tests.fork_server <descriptor>`, it forks for each message on that socket (Request); only on Linux.
"""

import gc
import importlib
import json
import os
import runpy
import socket
import sys
from typing import NamedTuple

#: What imports nearly all of what a server does, but for models and what needs them.
IMPORTED = (
    "allauth.account.app_settings",
    "allauth.core.ratelimit",
    "allauth.decorators",
    "allauth.socialaccount.providers.oauth2.utils",
    "autobahn.twisted.websocket",
    "channels.routing",
    "channels.security.websocket",
    "channels_redis.pubsub",
    "csp.middleware",
    "daphne.endpoints",
    "django.contrib.admin.apps",
    "django.contrib.auth.password_validation",
    "django.contrib.messages.middleware",
    "django.contrib.sessions.middleware",
    "django.contrib.staticfiles.storage",
    "django.core.asgi",
    "django.core.management.commands.migrate",
    "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base",
    "django.middleware.common",
    "django.middleware.gzip",
    "django.middleware.security",
    "environs",
    "fido2.server",
    "prometheus_client.core",
    "psutil",
    "pythonjsonlogger.json",
    "redis.asyncio",
    "requests",
    "servestatic.middleware",
    "twisted.internet.asyncioreactor",
    "twisted.web.http",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "uvloop",
)
#: Bytes of the largest request.
LARGEST = 200_000


class Request(NamedTuple):
    """What to start. With it come the descriptors of its input, its output and its errors."""

    words: list[str]
    folder: str
    environment: dict[str, str]


def fork_for_each(channel: socket.socket) -> Request | None:
    """In each process that was asked for, return what it is to do; None where nobody will ask any more."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, LARGEST, 3)
        if not message:
            return None
        if (between := os.fork()) == 0:
            if (pid := os.fork()) != 0:
                channel.send(str(pid).encode())
                os._exit(0)  # this leaves the new process to whoever asked (PR_SET_CHILD_SUBREAPER)
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
            os.closerange(3, max(*descriptors, channel.fileno()) + 1)
            channel.detach()
            return Request(*json.loads(message))
        for descriptor in descriptors:
            os.close(descriptor)
        os.waitpid(between, 0)
        channel.send(b"done")


def become(request: Request) -> None:
    """Do what a new interpreter would: `python manage.py ...`."""
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    if request.environment.get("COVERAGE_PROCESS_CONFIG"):
        import coverage

        coverage.process_startup()
    sys.argv = request.words
    gc.enable()
    runpy.run_path(request.words[0], run_name="__main__")


def main() -> None:
    gc.disable()
    for name in IMPORTED:
        importlib.import_module(name)
    assert "twisted.internet.reactor" not in sys.modules
    gc.freeze()
    request = fork_for_each(socket.socket(fileno=int(sys.argv[1])))
    if request is not None:
        become(request)


if __name__ == "__main__":
    main()
