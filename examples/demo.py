#!/usr/bin/env python
"""The whole thing with data that moves, in one command (`make demo`): a Redis, a producer, the dashboard.

Everything has files of its own, ends with Ctrl-C, and leaves nothing behind: what `make serve` keeps is not
touched. AI and Portfolio are read from Redis, as in production; the system's numbers are this machine's own.
"""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured

BIN = Path(sys.executable).parent
HOST = os.environ.get("HOST") or "127.0.0.1"
PORT = os.environ.get("PORT") or "8000"
#: What the demo shows where nothing else is asked for.
DEFAULTS = {"STREAM_INTERVAL": "1", "CURRENCY": "USD"}
#: Seconds that Redis may take to start, and each process to end.
PATIENCE_S = 15
#: Bytes that the path of a socket may have on every system (unix(7); 108 on Linux, with its end).
LONGEST_SOCKET = 103


def read_port() -> int:
    """The port that is asked for. Raises SystemExit where that is none."""
    if not PORT.isdigit() or int(PORT) > 65535:
        sys.exit(f"The demo cannot start. PORT is {PORT!r}: it must be a number from 0 to 65535.")
    return int(PORT)


def can_listen(port: int) -> bool:
    """Whether nobody listens at `port` of HOST yet."""
    with socket.socket(socket.AF_INET6 if ":" in HOST else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def read_end(log: Path) -> str:
    """The last line of a log; nothing where there is none."""
    return log.read_text(errors="replace").rstrip().rpartition("\n")[2] if log.exists() else ""


@contextlib.contextmanager
def running(*command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the block ends. Ctrl-C is not for it to hear: they end one after the other."""
    process = subprocess.Popen(command, start_new_session=True)  # noqa: S603  # words of this file
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def redis_server(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Redis in memory, at the socket `path` and nowhere else: whoever may enter its folder may ask it, no other user.

    Raises SystemExit where it does not come up.
    """
    if len(bytes(path)) > LONGEST_SOCKET:
        sys.exit(f"The demo cannot start. The folder for temporary files has too long a name ({path}): TMPDIR=/tmp")
    words = ("--port", "0", "--unixsocket", path, "--save", "", "--dir", path.parent, "--logfile", f"{path}.log")
    with running(BIN / "redis-server", *words) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not path.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{BIN / 'redis-server'} does not start: {read_end(Path(f'{path}.log'))}")
            time.sleep(0.05)
        yield process


def choose_redis() -> None:
    """Make the tables, and have AI and Portfolio read from Redis, as staff would in the admin.

    Raises SystemExit where a setting is wrong.
    """
    try:
        django.setup()
    except ImproperlyConfigured as error:
        sys.exit(f"The demo cannot start. {error}")
    from django.core.management import call_command

    from metrics.catalogue import Group, SourceKind
    from metrics.models import DataSource

    call_command("migrate", verbosity=0)
    DataSource.objects.filter(group__in=[Group.AI, Group.PORTFOLIO]).update(kind=SourceKind.REDIS)


def end(signal_number: int, frame: object) -> None:
    """Called by Ctrl-C and by whoever ends this process; asked again while all end, it changes nothing."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> None:
    """Run all of it until Ctrl-C. Raises SystemExit where a part of it ends by itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    port = read_port()
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="quantum-trader-demo-")))
        redis = parts.enter_context(redis_server(folder / "redis.sock"))
        url = f"unix://{folder / 'redis.sock'}"
        own = {"DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}", "METRICS_REDIS_URL": url, "REDIS_URL": ""}
        os.environ.update({**DEFAULTS, **os.environ, **own, "STREAM_JOURNAL": ""})
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantum_dashboard.settings")
        password = secrets.token_urlsafe(12)
        os.environ.update(DJANGO_SUPERUSER_USERNAME="admin", DJANGO_SUPERUSER_PASSWORD=password)
        choose_redis()
        producer = parts.enter_context(running(sys.executable, "examples/producer.py", "--url", url))
        print(
            "AI and Portfolio come from a Redis of the demo's own, which examples/producer.py fills with numbers that "
            "it makes up.\nThe dashboard cannot know that, and shows them as it will show yours.\n"
            f"The admin's user is admin, for as long as the demo runs; the password: {password}\n"
            f"Watch it: {BIN / 'redis-cli'} -s {folder / 'redis.sock'} monitor\n"
            "Ctrl-C ends all of it and leaves nothing behind."
            + ("" if can_listen(port) else f"\nPort {port} is taken; the demo takes another one."),
            flush=True,
        )
        serve = ("manage.py", "serve", "--prepare", "--host", HOST, "--port", str(port if can_listen(port) else 0))
        server = parts.enter_context(running(sys.executable, *serve))
        names = {redis: "Redis", producer: "The producer", server: "The server"}
        while all(process.poll() is None for process in names):
            time.sleep(0.2)
        ended = ", ".join(f"{name} ({process.poll()})" for process, name in names.items() if process.poll() is not None)
        sys.exit(f"Ended by itself: {ended}. So does the demo.")


if __name__ == "__main__":
    main()
