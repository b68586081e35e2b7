"""A fresh Debian in a folder (debootstrap), booted with systemd as its init in a container without network.

Packages, which need the network, are put into it before: Debian's by apt, Python's as files beside it.
"""

import shutil
import subprocess
import time
from pathlib import Path

import psutil

from tests.processes import ROOT

#: Debian's releases, each with the version of its Python.
SUITES = {"bookworm": "3.11", "trixie": "3.13"}
PACKAGES = (
    "systemd-sysv dbus procps python3 python3-venv ca-certificates nginx-light postgresql redis-server git "
    "certbot openssl pebble"
)
#: While packages are installed nothing is started: this is no machine yet.
NOT_YET = "#!/bin/sh\nexit 101\n"
#: A place in which pip looks for packages, in the container.
WHEELS = "/wheels"


class Debian:
    """A container's life."""

    def __init__(self, folder: Path, code: Path, suite: str) -> None:
        """`folder`: where all of it is kept, for the next time too. `code`: the clone, seen there as /srv/dashboard.

        `suite`: one of SUITES.
        """
        self._base, self._root, self._wheels = (folder / f"{name}-{suite}" for name in ("base", "root", "wheels"))
        self._code, self._suite = code, suite
        self._container: subprocess.Popen[bytes] | None = None
        self._init: int | None = None

    def prepare(self) -> None:
        """Make the system, unless that was done before, with the same packages."""
        prepared = self._base / "prepared"
        if not prepared.exists() or prepared.read_text() != PACKAGES:
            shutil.rmtree(self._base, ignore_errors=True)
            subprocess.run(["debootstrap", "--variant=minbase", self._suite, str(self._base)], check=True)
            policy = self._base / "usr/sbin/policy-rc.d"
            policy.write_text(NOT_YET)
            policy.chmod(0o755)
            install = f"apt-get update -qq && apt-get install -y -qq --no-install-recommends {PACKAGES}"
            shell = ["chroot", str(self._base), "env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", install]
            subprocess.run(shell, check=True)
            policy.unlink()
            prepared.write_text(PACKAGES)
        self._wheels.mkdir(exist_ok=True)
        download = ["python3", "-m", "pip", "download", "-q", "--only-binary=:all:", "-d", str(self._wheels)]
        download += ["--python-version", SUITES[self._suite]]
        subprocess.run([*download, "--require-hashes", "-r", str(ROOT / "requirements.lock")], check=True)
        if self._suite == "bookworm":  # its Python 3.11.2 needs one more than the newer ones do
            subprocess.run([*download, "--no-deps", "async-timeout==5.0.1"], check=True)

    def boot(self) -> None:
        """Begin with a fresh copy, and wait until systemd has started all."""
        shutil.rmtree(self._root, ignore_errors=True)
        subprocess.run(["cp", "-a", "--reflink=auto", str(self._base), str(self._root)], check=True)
        words = ["systemd-nspawn", "-q", "-D", str(self._root), "--register=no", "--keep-unit", "--private-network"]
        binds = [f"--bind={self._code}:/srv/dashboard", f"--bind-ro={self._wheels}:{WHEELS}"]
        with self._root.with_suffix(".log").open("wb") as log:
            self._container = subprocess.Popen(
                [*words, *binds, "--console=pipe", "-b", *self._cgroups()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            self._init = next((child.pid for child in psutil.Process(self._container.pid).children()), None)
            if self._init and self.run("systemctl", "is-system-running").stdout.strip() in {"running", "degraded"}:
                return
            time.sleep(0.2)
        raise AssertionError(f"systemd did not start: {self._root.with_suffix('.log')}")

    @staticmethod
    def _cgroups() -> list[str]:
        """Where this machine's own control groups are those of version 1, the container's are, too."""
        return [] if Path("/sys/fs/cgroup/cgroup.controllers").exists() else ["systemd.unified_cgroup_hierarchy=0"]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command in the container, as root."""
        environment = [
            f"PIP_FIND_LINKS={WHEELS}",
            "PIP_NO_INDEX=1",
            "HOME=/root",
            "LANG=C.UTF-8",
            "PATH=/usr/sbin:/usr/bin",
        ]
        return subprocess.run(
            ["nsenter", "-t", str(self._init), "-a", "env", "-i", *environment, *words],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def end(self) -> None:
        """Stop it."""
        if self._container is not None and self._init is not None:
            psutil.Process(self._init).kill()
            self._container.wait(30)
