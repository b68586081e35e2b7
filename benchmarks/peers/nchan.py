"""nginx with the nchan module: fan-out in C, which costs little more than the system call. The ceiling."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.peer import PING_INTERVAL_S, Peer, Stage
from benchmarks.processes import Program, raise_file_limit

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")

CONFIGURATION = """
load_module {module};
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
    nchan_shared_memory_size 256M;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = / {{
            nchan_subscriber websocket;
            nchan_channel_id live;
            nchan_subscriber_first_message newest;
            nchan_websocket_ping_interval {ping}s;
        }}
        location = /publish {{
            nchan_publisher http;
            nchan_channel_id live;
            nchan_message_buffer_length 4;
        }}
    }}
}}
"""


class Nchan(Peer):
    """nginx with one worker, and a small program that posts to it (whose CPU time does not count)."""

    name = "nchan"
    about = "nginx (one worker) with Debian's libnginx-mod-nchan: the ceiling"

    def find_missing(self) -> str | None:
        """See Peer."""
        if find_nginx() and MODULE.exists():
            return None
        return "no nginx with nchan (apt install nginx-light libnginx-mod-nchan)"

    def programs(self, stage: Stage) -> Sequence[Program]:
        """nginx and the publisher."""
        file = stage.folder / "nginx.conf"
        files = raise_file_limit()
        values = {
            "module": MODULE,
            "folder": stage.folder,
            "port": stage.port,
            "files": files,
            "connections": 2 * files,  # nginx closes idle ones when a sixteenth is left
            "ping": PING_INTERVAL_S,
        }
        file.write_text(CONFIGURATION.format(**values))
        nginx = Program([find_nginx() or "nginx", "-c", str(file), "-p", str(stage.folder)], port=stage.port)
        argv = [sys.executable, "-m", "benchmarks.peers.nchan_publisher", str(stage.port), str(stage.interval_s)]
        return [nginx, Program(argv, is_server=False)]


def find_nginx() -> str | None:
    """Where nginx is; Debian puts it where only root's PATH leads."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
