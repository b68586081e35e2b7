"""A real nginx with the project's own configuration, of which only places and ports are replaced."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.nginx import find_nginx, write_configuration
from tests.ports import free_port
from tests.processes import ROOT, Process, need, wait_until

CONFIGURATION = ROOT / "deploy" / "nginx"


class DeployedNginx(Process):
    """nginx in front of servers; with TLS where there is a certificate and its key."""

    def __init__(
        self, folder: Path, backends: Sequence[int], certificate: Path | None = None, key: Path | None = None
    ) -> None:
        """`backends`: where the servers listen."""
        self._program = need(find_nginx() or "/usr/sbin/nginx", "nginx")
        self.port, self.plain_port = free_port(), free_port()
        server = re.search(
            r"^ +server 127\.0\.0\.1:8000 .*\n", (CONFIGURATION / "upstream.conf").read_text(), re.MULTILINE
        )
        assert server
        places = {
            server[0]: "".join(server[0].replace("8000", str(backend)) for backend in backends),
            "/etc/nginx/quantum-dashboard/locations.conf": f"{CONFIGURATION}/locations.conf",
            "/etc/letsencrypt/live/dashboard.example/fullchain.pem": f"{certificate}",
            "/etc/letsencrypt/live/dashboard.example/privkey.pem": f"{key}",
            "listen 8888": f"listen 127.0.0.1:{self.port}",
            "listen 443": f"listen 127.0.0.1:{self.port}",
            "listen 80": f"listen 127.0.0.1:{self.plain_port}",
        }
        for source, target in (
            ("upstream.conf", "upstream.conf"),
            ("site-http.conf" if certificate is None else "site-tls.conf", "site.conf"),
        ):
            text = re.sub(r"^ *listen \[::\].*\n", "", (CONFIGURATION / source).read_text(), flags=re.MULTILINE)
            for words, replacement in places.items():
                text = text.replace(words, replacement)
            (folder / target).write_text(text)
        user = "user root;" if os.geteuid() == 0 else ""
        self.configuration = write_configuration(
            folder,
            f"include {folder}/upstream.conf; include {folder}/site.conf;",
            connections=4096,
            before=f"{user} worker_shutdown_timeout 2s;",
        )
        super().__init__([self._program, "-c", str(self.configuration), "-p", str(folder)], folder / "nginx.log")

    @property
    def stream(self) -> str:
        """The stream's address, without TLS."""
        return f"ws://127.0.0.1:{self.port}/stream/live"

    def check(self) -> str:
        """What `nginx -t` says; raises CalledProcessError where it complains."""
        words = [self._program, "-t", "-c", str(self.configuration)]
        return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stderr

    def start(self) -> "DeployedNginx":
        """Start, and wait until it listens."""
        self.spawn()
        wait_until(lambda: self.listens_at(self.port), what="nginx listens")
        return self
