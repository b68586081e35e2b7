"""This dashboard as it is deployed: behind nginx, with the configuration of deploy/nginx."""

from collections.abc import Sequence

from benchmarks.peers.nginx import find_nginx, make_program
from benchmarks.peers.ours import Ours
from benchmarks.peers.peer import Stage
from benchmarks.processes import PROJECT, Program

FILES = PROJECT / "deploy" / "nginx"
HTTP = """
{upstream}
server {{
    listen 127.0.0.1:{port} backlog=4096;
    include {files}/locations.conf;
}}
"""


class BehindNginx(Ours):
    """The dashboard under one of its servers, and nginx with one worker, whose CPU and memory count, too."""

    files_a_client = 2

    def __init__(self, server: str) -> None:
        super().__init__(server)
        self.name = f"nginx-{self.name}"
        self.about = f"{self.about}, behind nginx (one worker) with deploy/nginx: both processes are counted"

    def find_missing(self) -> str | None:
        """See Peer."""
        return None if find_nginx() else "no nginx (apt install nginx-light)"

    def programs(self, stage: Stage) -> Sequence[Program]:
        """The server at the second port, nginx at the first."""
        (dashboard,) = super().programs(Stage(stage.other_port, stage.port, stage.interval_s, stage.folder))
        dashboard.environment["TRUSTED_PROXIES"] = "1"
        upstream = (FILES / "upstream.conf").read_text().replace("127.0.0.1:8000", f"127.0.0.1:{stage.other_port}")
        http = HTTP.format(upstream=upstream, port=stage.port, files=FILES)
        return [dashboard, make_program(stage.folder, stage.port, http)]


NGINX_DAPHNE = BehindNginx("daphne")
NGINX_UVICORN = BehindNginx("uvicorn")
