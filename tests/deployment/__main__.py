"""Installs, installs again, upgrades, upgrades to what does not work; with SQLite, then scaled. About ten minutes.

On each Debian that is known here, or those that are named: `python -m tests.deployment trixie`.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from tests.deployment.authority import HOST, do, start_authority
from tests.deployment.debian import SUITES, Debian
from tests.processes import ROOT

FOLDER = ROOT / "build" / "deploy-test"
SCRIPT = "/srv/dashboard/deploy/deploy_dashboard_vps.sh"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Clone:
    """A clone of this project, whose code may be changed."""

    def __init__(self) -> None:
        self.folder = FOLDER / "clone"
        subprocess.run(["rm", "-rf", str(self.folder)], check=True)
        subprocess.run(["git", "clone", "-q", str(ROOT), str(self.folder)], check=True)

    def commit(self, file: str = "", before: str = "", after: str = "") -> None:
        """A new commit, in which `before` in `file` is `after`."""
        if file:
            path = self.folder / file
            assert before in path.read_text()
            path.write_text(path.read_text().replace(before, after))
        git = ["git", "-c", "user.name=test", "-c", "user.email=test@dashboard.example", "-C", str(self.folder)]
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-a", "-m", "Change something"], check=True)

    def undo(self) -> None:
        subprocess.run(["git", "-C", str(self.folder), "reset", "-q", "--hard", "HEAD~1"], check=True)


class Trial:
    """One machine, from the first installation on."""

    def __init__(self, debian: Debian, *options: str) -> None:
        self._debian, self._options = debian, options

    def deploy(self, *, works: bool, saying: str) -> str:
        done = self._debian.run(SCRIPT, *self._options)
        said = done.stdout + done.stderr
        assert (done.returncode == 0) is works, said
        assert saying in said, said
        return said

    def release(self) -> str:
        return self._debian.run("readlink", "/opt/quantum-dashboard/current").stdout

    @contextmanager
    def watched(self) -> Iterator[list[str]]:
        """Somebody asks through nginx, four times a second; what was not answered with 200."""
        failures: list[str] = []
        done = threading.Event()
        code = (
            "import urllib.request as r, sys\n"
            "try: r.urlopen('http://127.0.0.1:8888/stream/health/live', None, 20)\n"
            "except Exception as e: print(e)"
        )

        def watch() -> None:
            while not done.wait(0.25):
                if said := self._debian.run("python3", "-c", code).stdout:
                    failures.append(said)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield failures
        finally:
            done.set()
            thread.join()

    def run(self, clone: Clone) -> None:
        """Everything that may happen to it."""
        self.deploy(works=True, saying="3 messages, contract kept.")
        first = self.release()
        say("  installed")
        self.deploy(works=True, saying="It runs.")
        assert self.release() == first
        say("  again: nothing is restarted")
        clone.commit()
        with self.watched() as failures:
            said = self.deploy(works=True, saying="3 messages, contract kept.")
        assert not failures, failures
        assert ("workers are replaced, one after the other" in said) is bool(self._options)
        second = self.release()
        assert second != first
        say("  upgraded, and everybody was answered meanwhile")
        clone.commit("manage.py", "import gc\n", "import gc, no_such_module\n")
        self.deploy(works=False, saying="What served goes on as it was")
        assert self.release() == second
        clone.undo()
        say("  what cannot be prepared changes nothing")
        begin = "        server = import_module("
        clone.commit("streaming/management/commands/serve.py", begin, f"        raise SystemExit(3)\n{begin}")
        self.deploy(works=False, saying="serves again, on the database as the new one left it")
        assert self.release() == second
        clone.undo()
        say("  what does not serve is taken back")
        failed = self._debian.run("systemctl", "--failed", "--no-legend").stdout
        assert "quantum" not in failed, failed

    def run_with_certificate(self) -> None:
        """By its name, over TLS, with a certificate that is asked for, and renewed while it serves."""
        start_authority(self._debian)
        said = self.deploy(works=True, saying="3 messages, contract kept.")
        assert f"wss://{HOST}/stream/live: 3 messages" in said
        first = self.find_certificate()
        say("  installed, with a certificate")
        assert "certbot" not in self.deploy(works=True, saying="It runs.").replace("nginx-light certbot", "")
        assert self.find_certificate() == first
        say("  again: the certificate stays")
        do(self._debian, "certbot", "renew", "--force-renewal", "--no-random-sleep-on-renew", "-q")
        until = time.monotonic() + 20
        while self.find_certificate() == first:
            assert time.monotonic() < until
            time.sleep(0.5)
        say("  renewed, and served at once")

    def find_certificate(self) -> str:
        """What nginx shows, where it leads whoever comes without TLS."""
        code = (
            "import ssl, urllib.request as r\n"
            f"assert r.urlopen('http://{HOST}/stream/health').url == 'https://{HOST}/stream/health'\n"
            f"print(ssl.get_server_certificate(('{HOST}', 443)))"
        )
        return do(self._debian, "python3", "-c", code)


def main() -> None:
    if os.geteuid() != 0 or not all(map(shutil.which, ("debootstrap", "systemd-nspawn"))):
        sys.exit("This needs root, and on Debian: apt-get install debootstrap systemd-container")
    FOLDER.mkdir(parents=True, exist_ok=True)
    clone = Clone()
    for suite, options in product(sys.argv[1:] or SUITES, ((), ("--scaled", "--workers", "2"), ("--domain", HOST))):
        debian = Debian(FOLDER, clone.folder, suite)
        debian.prepare()
        debian.boot()
        say(f"{suite}: {Path(SCRIPT).name} {' '.join(options)}")
        try:
            trial = Trial(debian, *options)
            if "--domain" in options:
                trial.run_with_certificate()
            else:
                trial.run(clone)
        finally:
            debian.end()
    say("All of it works.")


if __name__ == "__main__":
    main()
