"""People who log in, over HTTP as a browser without JavaScript would: two server processes that share everything."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.admin_session import LIST, Visitor
from tests.conftest import end
from tests.people_at_work import close_of, make_code, make_users, read_secret, run_in_shell, watch
from tests.processes import MEASURED, PASSWORD, Redis, Server

SETTINGS = {"ACCESS": "login", "TRUSTED_PROXIES": "1"}
NEW_PASSWORD = "quite-another-password-now"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[list[Server]]:
    folder = tmp_path_factory.mktemp("people")
    shutil.copy(prepared_database, folder)
    redis = Redis(folder).start()
    started = [
        Server(folder, kind, REDIS_URL=redis.url, **SETTINGS, **MEASURED).start() for kind in ("daphne", "uvicorn")
    ]
    make_users(
        started[0],
        viewer="Viewer",
        guessed="Viewer",
        operator="Operator",
        nobody="",
        changer="Viewer",
        roamer="Viewer",
        forgetful="Viewer",
        careful="Viewer",
        late="Viewer",
    )
    run_in_shell(started[0], "User.objects.filter(username='operator').update(is_staff=True)")
    yield started
    for process in (*started, redis):
        end(process)
    for server in started:
        assert "Traceback" not in server.output


def test_a_login_leads_back_to_where_one_wanted(servers: list[Server]) -> None:
    visitor = Visitor(servers[0], "10.0.0.1")
    status, page = visitor.get("/?range=1h")
    assert (status, visitor.path) == (200, "/account/login/?next=/%3Frange%3D1h")
    assert 'name="next" value="/?range=1h"' in page
    assert visitor.sign_in("viewer", wanted="/?range=1h")[0] == 200
    assert visitor.path == "/?range=1h"
    (cookie,) = (cookie for cookie in visitor.cookies if cookie.name == "sessionid")
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"


def test_nobody_makes_themselves_a_user(servers: list[Server]) -> None:
    assert servers[0].get("/account/signup/")[0] == 404
    assert "signup" not in servers[0].get("/account/login/")[1]


def test_the_admin_has_no_login_of_its_own(servers: list[Server]) -> None:
    visitor = Visitor(servers[0], "10.0.0.2")
    visitor.get("/admin/metrics/")
    assert visitor.path.startswith("/account/login/?next=")
    status, page = visitor.sign_in("viewer", wanted="/admin/")
    assert status == 403
    assert "viewer is not staff" in page
    visitor.get("/admin/password_change/")
    assert visitor.path.startswith("/account/password/change/")


def test_a_wrong_name_and_a_wrong_password_are_told_the_same(servers: list[Server]) -> None:
    visitor = Visitor(servers[0], "10.0.0.3")
    said = [re.sub(r'value="[^"]*"', "", visitor.sign_in(name, "wrong")[1]) for name in ("viewer", "no-such-user")]
    assert "do not belong together" in said[0]
    assert said[0] == said[1]


def test_whoever_guesses_is_locked_out_in_every_process_and_told_until_when(servers: list[Server]) -> None:
    for name in ("guessed", "no-such-user-either"):
        for count in range(5):
            _, page = Visitor(servers[count % 2], f"10.0.1.{count}").sign_in(name, "wrong")
            assert "do not belong together" in page
        for server in servers:
            _, page = Visitor(server, "10.0.1.100").sign_in(name)
            assert re.search(r"Too many failed logins.*Try again in \d minutes", page)
    assert Visitor(servers[0], "10.0.1.0").sign_in("operator")[0] == 200


def test_an_address_that_sends_one_login_after_the_other_is_told_when_to_come_back(servers: list[Server]) -> None:
    visitor = Visitor(servers[0], "10.0.2.1")
    for count in range(31):
        status, page = visitor.sign_in(f"guess-{count}", "wrong")
        if count == 10:
            assert "from your address" in page
    assert status == 429
    assert re.search(r"Try again in \d+ seconds?\.", page)
    assert Visitor(servers[0], "10.0.2.2").sign_in("operator")[0] == 200


def test_a_new_password_ends_all_other_sessions(servers: list[Server]) -> None:
    here, elsewhere = Visitor(servers[0], "10.0.3.1"), Visitor(servers[1], "10.0.3.2")
    for visitor in (here, elsewhere):
        assert visitor.sign_in("changer")[0] == 200
    connections = [watch(servers[0], here), watch(servers[1], elsewhere), watch(servers[0], elsewhere)]
    here.get("/account/password/change/")
    here.post("/account/password/change/", oldpassword=PASSWORD, password1=NEW_PASSWORD, password2=NEW_PASSWORD)
    for connection in connections:
        assert close_of(connection)[0] == 4401
    watch(servers[1], here).close()
    elsewhere.get("/")
    assert elsewhere.path.startswith("/account/login/")
    assert Visitor(servers[0], "10.0.3.3").sign_in("changer", NEW_PASSWORD)[0] == 200


def test_one_sees_where_one_is_signed_in_and_ends_it(servers: list[Server]) -> None:
    here, elsewhere = Visitor(servers[0], "10.0.4.1"), Visitor(servers[1], "10.0.4.2")
    for visitor in (here, elsewhere):
        visitor.sign_in("roamer")
    kept, ended = watch(servers[0], here), watch(servers[0], elsewhere)
    _, page = here.get("/account/sessions/")
    assert {"10.0.4.1", "10.0.4.2"} <= set(re.findall(r"10\.0\.4\.\d", page))
    here.post("/account/sessions/")
    assert close_of(ended)[0] == 4401
    kept.recv(timeout=20)
    kept.close()
    assert servers[1].get("/stream/latest", **elsewhere.cookie)[0] == 401
    assert servers[1].get("/stream/latest", **here.cookie)[0] == 200


def test_a_forgotten_password_is_set_anew_by_mail(servers: list[Server]) -> None:
    visitor = Visitor(servers[0], "10.0.5.1")
    said = []
    for address in ("forgetful@example.org", "nobody-has-this@example.org"):
        visitor.get("/account/password/reset/")
        said.append(visitor.post("/account/password/reset/", email=address))
    assert said[0] == said[1]
    link = servers[0].said(r"/account/password/reset/key/\S+")  # without a mail server it is written there
    visitor.get(link)
    visitor.post(visitor.path, password1=NEW_PASSWORD, password2=NEW_PASSWORD)
    assert Visitor(servers[0], "10.0.5.2").sign_in("forgetful", NEW_PASSWORD)[0] == 200
    assert servers[0].output.count("/account/password/reset/key/") == 1


def test_a_second_factor_is_asked_for_from_then_on(servers: list[Server]) -> None:
    visitor = Visitor(servers[0], "10.0.6.1")
    visitor.sign_in("careful", wanted="/account/2fa/totp/activate/")
    assert visitor.path.startswith("/account/reauthenticate/")  # it is asked for even right after the login
    _, page = visitor.post(visitor.path, password=PASSWORD, next="/account/2fa/totp/activate/")
    secret = read_secret(page)
    assert "data:image/svg+xml" in page
    assert "Incorrect code" in visitor.post("/account/2fa/totp/activate/", code="000000")[1]
    visitor.post("/account/2fa/totp/activate/", code=make_code(secret))
    assert visitor.path.startswith("/account/2fa/recovery-codes/")
    recovery = re.findall(r"\b\d{8}\b", visitor.page)
    assert len(recovery) == 10

    for code in (make_code(secret, ahead=1), recovery[0]):
        other = Visitor(servers[1], "10.0.6.2")
        other.sign_in("careful")
        assert other.path == "/account/2fa/authenticate/"
        assert servers[1].get("/stream/latest", **other.cookie)[0] == 401  # half a login is none
        assert other.post("/account/2fa/authenticate/", code="00000000")[1].count("Incorrect code")
        other.post("/account/2fa/authenticate/", code=code)
        assert other.path == "/"
    again = Visitor(servers[0], "10.0.6.3")
    again.sign_in("careful")
    for _ in range(6):
        _, page = again.post("/account/2fa/authenticate/", code=recovery[0])  # used up
        if "Incorrect code" not in page:
            break
    assert "Try again in 5 minutes" in page


def test_a_session_ends_when_its_time_is_over(servers: list[Server]) -> None:
    visitor = Visitor(servers[0], "10.0.7.1")
    visitor.sign_in("late")
    key = visitor.cookie["Cookie"].removeprefix("sessionid=")
    run_in_shell(
        servers[0],
        f"""
import time
from django.conf import settings
from access.people.sessions import SessionStore
session = SessionStore({key!r})
session["began"] = time.time() - settings.SESSION_LIFETIME.total_seconds() + 5
session.save()
""",
    )
    assert close_of(watch(servers[1], visitor))[0] == 4401
    assert servers[1].get("/stream/latest", **visitor.cookie)[0] == 401


def test_the_groups_say_who_may_look_and_who_may_switch(servers: list[Server]) -> None:
    viewer, operator, nobody = (Visitor(servers[0], f"10.0.8.{number}") for number in range(3))
    assert operator.sign_in("operator")[0] == 200
    assert operator.get(LIST)[1].count("/switch/")
    status, page = nobody.sign_in("nobody")
    assert status == 403
    assert "may not look at this dashboard: ask staff for the group Viewer." in page
    run_in_shell(servers[0], "User.objects.get(username='nobody').groups.add(Group.objects.get(name='Viewer'))")
    assert nobody.get("/")[0] == 200
    viewer.sign_in("roamer")
    assert viewer.get("/")[0] == 200
