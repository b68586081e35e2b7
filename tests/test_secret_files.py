"""A secret may be a file: NAME_FILE, for each setting that is one."""

import os
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from quantum_dashboard.secret_files import SECRETS, Environment
from tests.processes import Server, run_manage

PASSWORD = "a password with spaces, a # and a $"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{PASSWORD}\n")
    return file


def test_a_secret_is_what_its_file_holds_without_the_newline_at_its_end(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(f"{name}_FILE", str(secret))
        assert Environment().str(name) == PASSWORD
        assert name not in os.environ  # nor do processes that are started from here get it


def test_what_is_no_secret_is_read_from_no_file(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCESS_FILE", str(secret))
    assert Environment().str("ACCESS", default="login") == "login"


def test_a_file_that_is_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL_FILE", "")
    monkeypatch.setenv("REDIS_URL", "redis://here")
    assert Environment().str("REDIS_URL") == "redis://here"


def test_a_value_and_a_file_in_one_place_are_one_too_many(
    secret: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_KEY", "another")
    monkeypatch.setenv("SECRET_KEY_FILE", str(secret))
    with pytest.raises(ImproperlyConfigured, match="Both SECRET_KEY and SECRET_KEY_FILE are set in the environment"):
        Environment().str("SECRET_KEY")
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.delenv("SECRET_KEY_FILE")
    (tmp_path / ".env").write_text(f"SECRET_KEY=another\nSECRET_KEY_FILE={secret}\n")
    environment = Environment()
    environment.read_env(tmp_path / ".env", recurse=False)
    with pytest.raises(ImproperlyConfigured, match=r"are set in \.env"):
        environment.str("SECRET_KEY")


@pytest.mark.parametrize("name", ["SECRET_KEY", "SECRET_KEY_FILE"])
def test_the_environment_wins_over_the_file_of_settings(
    secret: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    for each in ("SECRET_KEY", "SECRET_KEY_FILE"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, str(secret))
    (tmp_path / ".env").write_text("SECRET_KEY=of the file" if name.endswith("_FILE") else "SECRET_KEY_FILE=/nowhere")
    environment = Environment()
    environment.read_env(tmp_path / ".env", recurse=False)
    assert environment.str("SECRET_KEY") == (PASSWORD if name.endswith("_FILE") else str(secret))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"cannot be read \(No such file or directory\)"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff", "is no text"),
    ],
)
def test_a_file_of_no_use_is_named_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, words: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setenv("SECRET_KEY_FILE", str(file))
    with pytest.raises(ImproperlyConfigured, match=rf"SECRET_KEY_FILE: {file} {words}"):
        Environment().str("SECRET_KEY")


@pytest.mark.parametrize("is_there", [True, False])
def test_the_settings_are_read_so_and_a_wrong_file_stops_the_start(tmp_path: Path, is_there: bool) -> None:
    environment = {**os.environ, **Server(tmp_path).environment}
    values = {
        "SECRET_KEY": environment.pop("SECRET_KEY"),
        "DATABASE_URL": environment.pop("DATABASE_URL"),
        "REDIS_URL": "redis://:pass@cache:6379/1",
        "METRICS_REDIS_URL": environment.pop("METRICS_REDIS_URL"),
        "EMAIL_URL": "smtp://someone:pass@mail.example",
        "OIDC_CLIENT_SECRET": "of the provider",
        "DJANGO_SUPERUSER_PASSWORD": environment.pop("DJANGO_SUPERUSER_PASSWORD"),
    }
    assert set(values) == SECRETS
    for name, value in values.items():
        environment[f"{name}_FILE"] = str(tmp_path / name)
        (tmp_path / name).write_text(value)
    if not is_there:
        (tmp_path / "REDIS_URL").unlink()
    code = (
        "from django.conf import settings as s; print(s.SECRET_KEY, s.DATABASES['default']['NAME'], s.REDIS_URL, "
        "s.METRICS_REDIS_URL, s.EMAIL_HOST_USER, s.OIDC_CLIENT_SECRET, s.FIRST_PASSWORD, sep='\\n')"
    )
    done = run_manage("shell", "-v0", "-c", code, **environment)
    if is_there:
        values |= {"DATABASE_URL": values["DATABASE_URL"].removeprefix("sqlite:///"), "EMAIL_URL": "someone"}
        assert done.stdout.splitlines() == list(values.values()), done.stderr
    else:
        assert done.returncode == 1
        assert "The dashboard cannot start. REDIS_URL_FILE:" in done.stderr
