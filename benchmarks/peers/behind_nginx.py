"""This dashboard as it is deployed: behind nginx, with the configuration of deploy/nginx."""

from collections.abc import Sequence

from benchmarks.peers.nchan import find_nginx
from benchmarks.peers.ours import Ours
from benchmarks.peers.peer import Stage
from benchmarks.processes import PROJECT, Program, raise_file_limit

FILES = PROJECT / "deploy" / "nginx"
CONFIGURATION = """
daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log warn;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/upstream.conf;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        include {files_of_ours}/locations.conf;
    }}
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
        folder, files = stage.folder, raise_file_limit()
        behind = Stage(stage.other_port, stage.port, stage.interval_s, folder)
        (dashboard,) = super().programs(behind)
        upstream = (FILES / "upstream.conf").read_text().replace("127.0.0.1:8000", f"127.0.0.1:{stage.other_port}")
        (folder / "upstream.conf").write_text(upstream)
        file = folder / "nginx.conf"
        values = {"folder": folder, "port": stage.port, "files": files, "files_of_ours": FILES}
        file.write_text(CONFIGURATION.format(**values, connections=2 * files))
        dashboard.environment["TRUSTED_PROXIES"] = "1"
        nginx = Program([find_nginx() or "nginx", "-c", str(file), "-p", str(folder)], port=stage.port)
        return [dashboard, nginx]


NGINX_DAPHNE = BehindNginx("daphne")
NGINX_UVICORN = BehindNginx("uvicorn")
