"""People who come in by an OpenID Connect provider: a small real one, and what happens when it is down."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.admin_session import Visitor
from tests.conftest import end
from tests.identity_provider import IdentityProvider
from tests.people_at_work import run_in_shell
from tests.processes import MEASURED, PASSWORD, Server

SIGN_ON = "/account/oidc/sso/login/?process=login"


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    yield provider
    provider.close()
    assert provider.wrong == []


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, prepared_database: Path, provider: IdentityProvider
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("sign-on")
    shutil.copy(prepared_database, folder)
    server = Server(folder, ACCESS="login", TRUSTED_PROXIES="1", **provider.settings, **MEASURED).start()
    yield server
    end(server)
    assert "Traceback" not in server.output


def sign_on(visitor: Visitor, wanted: str = "/") -> tuple[int, str]:
    visitor.get(f"/account/login/?next={wanted}")
    assert "Sign in with the desk" in visitor.page
    return visitor.post(f"{SIGN_ON}&next={wanted}")


def test_who_comes_for_the_first_time_becomes_a_user_who_may_do_nothing_yet(
    server: Server, provider: IdentityProvider
) -> None:
    visitor = Visitor(server, "10.1.0.1")
    status, page = sign_on(visitor)
    assert (status, visitor.path) == (403, "/")
    assert "Ada may not look at this dashboard: ask staff for the group Viewer." in page
    run_in_shell(server, "User.objects.get(username='ada').groups.add(Group.objects.get(name='Viewer'))")
    assert visitor.get("/")[0] == 200
    again = Visitor(server, "10.1.0.2")
    assert sign_on(again, "/?range=1h")[0] == 200
    assert again.path == "/?range=1h"


def test_a_user_of_the_same_name_and_address_stays_another_one(server: Server, provider: IdentityProvider) -> None:
    run_in_shell(server, "User.objects.filter(username='admin').update(email='boss@example.org')")
    provider.person = {"sub": "2", "preferred_username": "admin", "email": "boss@example.org", "email_verified": True}
    visitor = Visitor(server, "10.1.0.3")
    assert sign_on(visitor)[0] == 403
    assert visitor.get("/admin/")[0] == 403
    users = run_in_shell(server, "print(*User.objects.filter(email='boss@example.org').values_list('username'))")
    assert len(users.split()) == 2


def test_who_has_a_user_here_connects_the_two(server: Server, provider: IdentityProvider) -> None:
    provider.person = {"sub": "3", "preferred_username": "the-boss"}
    visitor = Visitor(server, "10.1.0.5")
    visitor.sign_in("admin", wanted="/account/connected/")
    visitor.post("/account/oidc/sso/login/?process=connect&next=/account/connected/")
    assert visitor.path == "/account/connected/"
    assert visitor.page.count('name="account"') == 1
    again = Visitor(server, "10.1.0.6")
    assert sign_on(again, "/admin/")[0] == 200
    assert again.path == "/admin/"


def test_a_provider_that_is_down_is_said_and_the_password_still_works(
    server: Server, provider: IdentityProvider
) -> None:
    visitor = Visitor(server, "10.1.0.4")
    provider.is_broken = True
    status, page = sign_on(visitor)
    assert status == 401
    assert "If you have a password here, it works as before." in page
    provider.close()
    status, page = sign_on(visitor)
    assert status == 401
    assert "If you have a password here, it works as before." in page
    assert visitor.sign_in("admin", PASSWORD)[0] == 200
