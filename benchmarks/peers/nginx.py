"""An nginx of one's own, for benchmarks and tests: one worker, no log of requests, all its files in one folder."""

import shutil
from pathlib import Path

from benchmarks.processes import Program, raise_file_limit

FRAME = """
{before}
daemon off;
worker_processes 1;
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


def write_configuration(folder: Path, http: str, connections: int, before: str = "") -> Path:
    """Write nginx's own file: `http` in its block of that name, at most so many `connections`, `before` at its top."""
    file = folder / "nginx.conf"
    file.write_text(FRAME.format(before=before, folder=folder, connections=connections, http=http))
    return file


def make_program(folder: Path, port: int, http: str, modules: str = "") -> Program:
    """nginx with `http` in its block of that name; `modules`: what it loads. It listens at `port`."""
    files = raise_file_limit()
    # Twice as many connections: nginx closes idle ones when a sixteenth is left.
    file = write_configuration(folder, http, 2 * files, f"{modules}\nworker_rlimit_nofile {files};")
    return Program([find_nginx() or "nginx", "-c", str(file), "-p", str(folder)], port=port)
