"""REQUIRE_MFA=staff: staff without a second factor do nothing before they have one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.admin_session import LIST, Visitor
from tests.conftest import end
from tests.people_at_work import close_of, make_code, make_users, read_secret, run_in_shell, watch
from tests.processes import PASSWORD, Server

FACTORS = "/account/2fa/"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("required")
    shutil.copy(prepared_database, folder)
    server = Server(folder, ACCESS="login", REQUIRE_MFA="staff").start()
    make_users(server, viewer="Viewer")
    yield server
    end(server)
    assert "Traceback" not in server.output


def test_staff_are_led_to_set_one_up_before_anything_else(server: Server) -> None:
    visitor = Visitor(server)
    for wanted in ("/", "/admin/", LIST):
        assert visitor.sign_in("admin", wanted=wanted)[0] == 200
        assert visitor.path == FACTORS
        visitor.get(wanted)
        assert visitor.path == FACTORS
    assert "second factor first" in visitor.page
    assert server.get("/stream/latest", **visitor.cookie)[0] == 403
    with server.connect(additional_headers=visitor.cookie) as connection:
        code, reason = close_of(connection)
    assert code == 4403
    assert "second factor" in reason

    activate = f"{FACTORS}totp/activate/"
    visitor.get(activate)
    visitor.post(visitor.path, password=PASSWORD, next=activate)
    visitor.post(activate, code=make_code(read_secret(visitor.page)))
    for wanted in ("/", "/admin/", LIST):
        assert visitor.get(wanted)[0] == 200
        assert visitor.path == wanted
    connection = watch(server, visitor)
    run_in_shell(server, "from allauth.mfa.models import Authenticator\nAuthenticator.objects.all().delete()")
    assert close_of(connection)[0] == 4403


def test_others_get_in_as_before(server: Server) -> None:
    visitor = Visitor(server)
    assert visitor.sign_in("viewer")[0] == 200
    assert visitor.path == "/"
