"""An nginx of a benchmark's own: one worker, no log of requests, all its files in one folder."""

import shutil
from pathlib import Path

from benchmarks.processes import Program, raise_file_limit

FRAME = """
{modules}
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
    {http}
}}
"""


def find_nginx() -> str | None:
    """Where nginx is; Debian puts it where only root's PATH leads."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def make_program(folder: Path, port: int, http: str, modules: str = "") -> Program:
    """nginx with `http` in its block of that name; `modules`: what it loads. It listens at `port`."""
    files = raise_file_limit()
    connections = 2 * files  # nginx closes idle ones when a sixteenth is left
    file = folder / "nginx.conf"
    file.write_text(FRAME.format(modules=modules, folder=folder, files=files, connections=connections, http=http))
    return Program([find_nginx() or "nginx", "-c", str(file), "-p", str(folder)], port=port)
