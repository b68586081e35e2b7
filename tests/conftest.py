"""Fixtures of real things; what they wrote is shown when a test fails."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.postgresql import Postgresql
from tests.processes import MEASURED, Process, Redis, Server, run_manage

#: A browser and its pages.
pytest_plugins = ("tests.page_fixtures",)

StartServer = Callable[..., Server]


#: The modules that take longest: begun last, they would keep everybody waiting.
FIRST = ("test_faults", "test_simulation", "test_page")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; where the same is done hundreds of times, measure no coverage: it doubles that."""
    items.sort(key=lambda item: item.path.stem not in FIRST)
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.no_cover)


def end(process: Process) -> None:
    if process.process is not None:
        process.process.send_signal(18)  # SIGCONT: a stopped process cannot end
        code = process.stop()
        print(f"--- {process.log.name} (exit code {code})\n{process.output}")


@pytest.fixture(scope="session")
def prepared_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database with the first staff user, to copy: making one takes as long as starting a server."""
    server = Server(tmp_path_factory.mktemp("prepared"), DJANGO_SUPERUSER_USERNAME="admin", DJANGO_SUPERUSER_EMAIL="")
    for words in (["migrate", "-v0"], ["createsuperuser", "--noinput", "-v0"]):
        run_manage(*words, **server.environment).check_returncode()
    return Path(server.environment["DATABASE_URL"].removeprefix("sqlite:///"))


@pytest.fixture
def start_server(request: pytest.FixtureRequest, tmp_path: Path, prepared_database: Path) -> Iterator[StartServer]:
    """Starts servers in this test's folder; each must end by SIGTERM, with exit code 0 and without a traceback.

    Servers of one test share a database. One that was killed by the test is not asked how it ended.
    """
    for name in {"redis", "postgresql_server"} & set(request.fixturenames):
        request.getfixturevalue(name)  # so that it ends after the servers that use it
    shutil.copy(prepared_database, tmp_path)
    servers: list[Server] = []

    def start(kind: str = "daphne", **environment: str) -> Server:
        servers.append(Server(tmp_path, kind, **environment))
        return servers[-1].start()

    yield start
    for server in servers:
        assert server.process is not None
        was_running = server.process.poll() is None
        end(server)
        if was_running and server.kind in {"daphne", "uvicorn"}:
            assert server.process.returncode == 0
            assert "Traceback" not in server.output


@pytest.fixture
def new_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of how processes start and end: each is a Python of its own, as people start it, and no fork."""
    monkeypatch.setattr(Process, "forks", False)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """A Redis of this test's own."""
    process = Redis(tmp_path).start()
    yield process
    end(process)


@pytest.fixture(scope="session")
def find_server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Callable[[str], Server]]:
    """Finds the server of a kind that all tests share which change none of its settings; starts it if none has yet."""
    servers: dict[str, Server] = {}

    def find(kind: str) -> Server:
        if kind not in servers:
            folder = tmp_path_factory.mktemp(kind)
            shutil.copy(prepared_database, folder)
            servers[kind] = Server(folder, kind, **MEASURED).start()
        return servers[kind]

    yield find
    for server in servers.values():
        end(server)
        assert server.process is not None
        assert server.process.returncode == 0
        assert "Traceback" not in server.output


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def server(request: pytest.FixtureRequest, find_server: Callable[[str], Server]) -> Server:
    """A server that tests share, once Daphne and once uvicorn."""
    return find_server(request.param)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which can be made read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def postgresql_server() -> Iterator[Postgresql]:
    """A PostgreSQL of this test's own, not started yet."""
    server = Postgresql()
    yield server
    server.remove()


@pytest.fixture
def no_database_file(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a database what is asked is no file: that there is none is no fault."""
    if "django_db" not in request.keywords:
        monkeypatch.setattr("metrics.kept_connection.find_sqlite_file", lambda: None)
