"""`serve --prepare`: the stream waits for no database, and servers that start at once prepare one after the other."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.admin_session import AdminSession
from tests.conftest import end
from tests.postgresql import Postgresql
from tests.processes import Server, wait_until


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Server]]:
    """Servers that a test starts by itself; all must end by SIGTERM without a traceback."""
    started: list[Server] = []
    yield started
    for server in started:
        end(server)
    for server in started:
        assert server.process is not None
        assert server.process.returncode == 0
        assert "Traceback" not in server.output


def start(servers: list[Server], folder: Path, kind: str = "daphne", **environment: str) -> Server:
    """Spawn a server in a folder of its own."""
    own = folder / str(len(servers))
    own.mkdir()
    servers.append(Server(own, kind, **environment))
    servers[-1].spawn()
    return servers[-1]


def is_well(server: Server) -> bool:
    return server.listens() and server.health()["checks"]["database"]["ok"]


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_a_server_starts_while_the_folder_of_its_file_is_missing_and_prepares_it_later(
    tmp_path: Path, servers: list[Server], kind: str
) -> None:
    folder = tmp_path / "later"
    server = start(servers, tmp_path, kind, DATABASE_URL=f"sqlite:///{folder / 'db.sqlite3'}")
    wait_until(server.listens)
    assert server.receive(2)
    assert server.output.count("The database cannot be prepared yet: unable to open database file") == 1
    assert f"{folder} is no folder" in server.output
    folder.mkdir()
    wait_until(lambda: is_well(server))
    server.said("The database is prepared, after")
    first = server.receive(1)[0]["id"]
    with closing(sqlite3.connect(folder / "db.sqlite3", timeout=10)) as database:
        newest = "SELECT coalesce(max(id), 0) FROM metrics_snapshotrecord"
        wait_until(lambda: database.execute(newest).fetchone()[0] >= first)
    assert AdminSession(server)  # the first staff user is there


def test_a_server_starts_while_postgresql_is_away_and_prepares_it_later(
    tmp_path: Path, servers: list[Server], postgresql_server: Postgresql
) -> None:
    server = start(servers, tmp_path, DATABASE_URL=postgresql_server.url)
    wait_until(server.listens)
    assert server.receive(2)
    server.said("The database cannot be prepared yet: .*start PostgreSQL")
    postgresql_server.start()
    wait_until(lambda: is_well(server))
    wait_until(lambda: server.health()["history"]["waiting"] < 5)
    server.said("First staff user")
    assert AdminSession(server)


def assert_all_well(servers: list[Server]) -> None:
    for server in servers:
        wait_until(lambda server=server: is_well(server))  # type: ignore[misc]
    assert sum("First staff user" in server.output for server in servers) == 1
    assert not any("cannot be prepared" in server.output for server in servers)


def test_three_servers_that_start_at_once_on_an_empty_postgresql_all_serve(
    tmp_path: Path, servers: list[Server], postgresql_server: Postgresql
) -> None:
    url = postgresql_server.start().url
    for kind in ("daphne", "uvicorn", "daphne"):
        start(servers, tmp_path, kind, DATABASE_URL=url, STREAM_PUBLISHER="false")
    assert_all_well(servers)


def test_three_servers_that_start_at_once_on_a_new_file_all_serve(tmp_path: Path, servers: list[Server]) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    for kind in ("daphne", "uvicorn", "daphne"):
        start(servers, tmp_path, kind, DATABASE_URL=url, STREAM_PUBLISHER="false")
    assert_all_well(servers)
