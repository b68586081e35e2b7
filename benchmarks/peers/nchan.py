"""nginx with the nchan module: fan-out in C, which costs little more than the system call. The ceiling."""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.nginx import find_nginx, make_program
from benchmarks.peers.peer import PING_INTERVAL_S, Peer, Stage
from benchmarks.processes import Program

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
HTTP = """
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
        http = HTTP.format(port=stage.port, ping=PING_INTERVAL_S)
        nginx = make_program(stage.folder, stage.port, http, f"load_module {MODULE};")
        argv = [sys.executable, "-m", "benchmarks.peers.nchan_publisher", str(stage.port), str(stage.interval_s)]
        return [nginx, Program(argv, is_server=False)]
