"""The scaled profile as it is deployed: nginx with TLS, two workers of a release in its folder, PostgreSQL, Redis."""

import base64
import hashlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
from contextlib import closing
from pathlib import Path

import psutil
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.conftest import end
from tests.nginx import DeployedNginx
from tests.postgresql import Postgresql
from tests.processes import Redis, Server, wait_until
from tests.releases import make_release, turn_link

NAME = "dashboard.example"


class DeployedServer(Server):
    """The dashboard's workers, from the release that the link `current` leads to when they start."""

    def __init__(self, folder: Path, **environment: str) -> None:
        super().__init__(folder, "uvicorn", **environment)
        self.project = folder / "current"
        self.command[:2] = [f"{self.project}/.venv/bin/python", f"{self.project}/manage.py"]

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that serve."""
        return psutil.Process(self.pid).children()

    @property
    def releases(self) -> set[str]:
        """The names of the releases that serve."""
        return {find_release(worker) for worker in self.workers}


def find_release(worker: psutil.Process) -> str:
    """The name of the release that a worker runs in; empty where it is just ending."""
    try:
        return Path(worker.cwd()).name
    except psutil.Error:
        return ""


class Site:
    """What runs. `trust`: for clients. `key`: the hash of the certificate's key, for browsers."""

    def __init__(self, folder: Path) -> None:
        """Make everything in `folder`; `start` starts it."""
        self.folder = folder
        authority = trustme.CA()
        issued = authority.issue_cert(NAME, "127.0.0.1")
        issued.private_key_pem.write_to_path(str(folder / "key.pem"))
        for part in issued.cert_chain_pems:
            part.write_to_path(str(folder / "certificate.pem"), append=True)
        self.trust = ssl.create_default_context()
        authority.configure_trust(self.trust)
        public = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes()).public_key()
        digest = hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        self.key = base64.b64encode(digest).decode()
        self.postgresql = Postgresql()
        self.redis = Redis(folder)
        turn_link(folder / "current", make_release(folder / "releases" / "first"))
        self.server = DeployedServer(
            folder,
            WORKERS="2",
            REDIS_URL=self.redis.url,
            DATABASE_URL=self.postgresql.url,
            STREAM_JOURNAL=str(folder / "unstored"),
            STREAM_INTERVAL="0.5",
            HISTORY_RETENTION="365d",
            HTTPS="true",
            TRUSTED_PROXIES="1",
            ALLOWED_HOSTS=f"{NAME},127.0.0.1",
            ACCESS="open",
        )
        self.nginx = DeployedNginx(folder, [self.server.port], folder / "certificate.pem", folder / "key.pem")

    def start(self) -> "Site":
        """Start everything, and wait until snapshots flow."""
        self.postgresql.start()
        self.redis.start()
        self.server.start()
        self.nginx.start()
        wait_until(lambda: len(self.server.workers) == 2)
        with self.follow() as connection:
            connection.recv(timeout=60)
        return self

    def end(self) -> None:
        """End everything, as it should end."""
        for process in (self.nginx, self.server, self.redis):
            end(process)
        self.postgresql.remove()

    def manage(self, release: Path, *words: str) -> None:
        """A command of a release."""
        environment = {**os.environ, **self.server.environment}
        command = [f"{release}/.venv/bin/python", "manage.py", *words]
        subprocess.run(command, cwd=release, env=environment, check=True, timeout=60)

    def upgrade(self, release: Path) -> None:
        """As deploy/deploy_dashboard_vps.sh does: migrate while the old serves, turn the link, replace the workers."""
        self.manage(release, "migrate", "-v0")
        turn_link(self.folder / "current", release)
        self.server.send(signal.SIGHUP)
        wait_until(lambda: self.server.releases == {release.name} and len(self.server.workers) == 2, 80)

    @property
    def origin(self) -> str:
        return f"https://{NAME}:{self.nginx.port}"

    @property
    def address(self) -> str:
        """The page's, for a browser, which need not know the name."""
        return f"https://127.0.0.1:{self.nginx.port}/"

    def get(self, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        """An answer over TLS."""
        connection = http.client.HTTPSConnection(NAME, self.nginx.port, context=self.trust, timeout=30)
        connection.sock = self.trust.wrap_socket(self.dial(), server_hostname=NAME)
        with closing(connection):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer, answer.read()

    def dial(self) -> socket.socket:
        """A TCP connection to nginx."""
        return socket.create_connection(("127.0.0.1", self.nginx.port), 30)

    def follow(self, query: str = "", origin: str | None = None) -> ClientConnection:
        """A connection to the stream, as a page makes it."""
        return connect(
            f"wss://{NAME}:{self.nginx.port}/stream/live{query}",
            sock=self.dial(),
            ssl=self.trust,
            origin=Origin(origin or self.origin),
            open_timeout=30,
            legacy=True,
        )
