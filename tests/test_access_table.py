"""Every address of the site, for everybody, by every method, where access is by login: tests/access_table.txt.

A new address that is not in the table fails, and so does one that answers somebody differently. The failure shows the
lines as they are now: whether they are right is for whoever reads them to say.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.db import models, transaction
from django.urls import URLPattern, get_resolver

from access.models import AccessToken, ShareLink
from access.viewer import Scope
from metrics.catalogue import Group as MetricGroup
from streaming.runtime import Runtime
from tests.hubs import RuntimeClient, make_frame
from tests.processes import ROOT

TABLE = ROOT / "tests" / "access_table.txt"
#: Who asks, in the table's order: nobody, people by their group, tokens by their scope, the viewer of a share link.
PEOPLE = ("nobody", "viewer", "operator", "admin")
TOKENS = tuple(f"token {scope}" for scope in Scope)
ASKERS = (*PEOPLE, *TOKENS, "link")
#: In Django's admin and allauth's pages, links and the scopes of tokens mean nothing; views there know two methods.
ASKERS_ELSEWHERE = (*PEOPLE, TOKENS[0])
METHODS, METHODS_ELSEWHERE = ("GET", "POST", "PUT", "DELETE"), ("GET", "POST")
#: What somebody gets: s it is shown or done, p a part of it, l a way to the login, b a way back to the admin's index,
#: else the last digit of 40x.
SHOWN, PART, LOGIN, BACK = "s", "p", "l", "b"


def find_routes() -> list[str]:
    """Every address, as the URLconf has it; one that is there twice is answered by the first."""

    def walk(resolver: Any, before: str = "") -> Iterator[str]:
        for pattern in resolver.url_patterns:
            route = before + str(pattern.pattern)
            if isinstance(pattern, URLPattern):
                yield route
            else:
                yield from walk(pattern, route)

    return list(dict.fromkeys(walk(get_resolver())))


def area_of(route: str) -> str:
    """The part of the table that a route belongs to."""
    parts = route.replace("^", "").split("/")
    return "/".join(parts[:3]) if parts[0] == "admin" and len(parts) > 3 else parts[0]


ROUTES = find_routes()


def read_table() -> dict[str, str]:
    """Each route with what everybody gets, method by method."""
    lines = (line for line in TABLE.read_text().splitlines() if line and not line.startswith("#"))
    return {route.strip(): letters for letters, _, route in (line.partition(" | ") for line in lines)}


def test_every_address_is_in_the_table_and_no_other() -> None:
    assert sorted(read_table()) == sorted(route or "(the page)" for route in ROUTES)


class InlineThread:
    """Asks the database where the test's transaction is."""

    async def ask(self, work: Callable[[], Any]) -> Any:
        return await sync_to_async(work)()


@pytest.fixture
def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> "Site":
    settings.ACCESS = "login"
    cache.clear()  # of how many forms were sent
    runtime = Runtime()
    monkeypatch.setattr(runtime.link_gate, "_thread", InlineThread())

    async def report(*_: Any) -> dict[str, Any]:
        return {"status": "ok", "age": 0.1, "checks": {}}

    monkeypatch.setattr("streaming.web.views.report_health", report)
    text = '{"timestamp":1735174460.0,"sources":{},"problems":{},"observed":{}}'
    runtime.hub.recent.append(make_frame(1, text=text))
    return Site(runtime)


class Site:
    """A runtime, and everybody who may ask it."""

    def __init__(self, runtime: Runtime) -> None:
        self.client = RuntimeClient(runtime)
        admin = User.objects.create(username="admin", is_staff=True, is_superuser=True)
        people = {
            "viewer": User.objects.create(username="viewer"),
            "operator": User.objects.create(username="operator", is_staff=True),
            "admin": admin,
        }
        people["viewer"].groups.add(Group.objects.get(name="Viewer"))
        people["operator"].groups.add(Group.objects.get(name="Operator"))
        self.cookies = {}
        for name, user in people.items():
            self.client.force_login(user)
            self.cookies[name] = self.client.cookies.output(header="", sep=";")
            self.client.cookies.clear()
        self.tokens = {
            f"token {scope}": AccessToken(name=scope, owner=admin, scopes=[scope]).begin() for scope in Scope
        }
        self.secret = ShareLink(label="a link", made_by=admin, groups=list(MetricGroup), shows_amounts=True).begin()

    def ask(self, asker: str, method: str, path: str) -> str:
        """What somebody gets; whatever that changed is undone."""
        self.client.cookies = SimpleCookie(self.cookies.get(asker))
        headers = {"Authorization": f"Bearer {self.tokens[asker]}"} if asker in self.tokens else {}

        async def request() -> Any:
            return await self.client.generic(method, path, headers=headers)

        with transaction.atomic():
            answer = async_to_sync(request)()
            transaction.set_rollback(True)
        if answer.status_code == 302 and "/login/?next=" in answer["Location"]:
            return LOGIN
        if answer.status_code == 302 and answer["Location"] == "/admin/" != path and "login" not in path:
            return BACK
        if 400 < answer.status_code < 410:
            return str(answer.status_code % 10)
        assert answer.status_code < 400 or answer.status_code in {400, 429}, (asker, method, path, answer.status_code)
        is_health = path == "/stream/health" and method == "GET"
        return PART if is_health and set(answer.json()) == {"status", "age"} else SHOWN

    def path_of(self, route: str) -> str:
        """An address of the route, of something that there is."""
        path = route.replace("^", "").replace("/?$", "").replace("$", "")
        path = path.replace("(?P<link>[A-Za-z0-9_-]{43})", self.secret)
        path = re.sub(r"\(\?P<app_label>([a-z]+)\|.*?\)", r"\1", path)
        path = re.sub(r"\(\?P<uidb36>.*?\)-\(\?P<key>.*?\)", "1-set-password", path).replace("(?P<url>.*)", "nothing")
        path = path.replace("<str:kind>", "redis").replace("<str:provider_id>", "sso")
        return "/" + re.sub(r"<.*?>", str(self.number_in(route)), path)

    def number_in(self, route: str) -> int:
        """The primary key of a row of the model that a page of the admin is about; 1 where there is none."""
        names = re.match(r"admin/(\w+)/(\w+)/.*<", route)
        model: type[models.Model] | None = None
        if names:
            model = apps.get_model(names[1], names[2])
        row = model._default_manager.first() if model else None
        return int(row.pk) if row else 1


def outcomes(site: Site, routes: Iterable[str]) -> Iterator[str]:
    """A line of the table for each route."""
    for route in routes:
        path, is_elsewhere = site.path_of(route), route.startswith(("admin/", "account/"))
        askers, methods = (ASKERS_ELSEWHERE, METHODS_ELSEWHERE) if is_elsewhere else (ASKERS, METHODS)
        columns = ["".join(site.ask(asker, method, path) for asker in askers) for method in methods]
        yield f"{' '.join(columns)} | {route or '(the page)'}"


@pytest.mark.no_cover  # thousands of requests
@pytest.mark.django_db
@pytest.mark.parametrize("area", sorted({area_of(route) for route in ROUTES}))
def test_everybody_gets_what_the_table_says(area: str, site: Site) -> None:
    table = read_table()
    found = list(outcomes(site, (route for route in ROUTES if area_of(route) == area)))
    expected = [f"{table.get(name, '')} | {name}" for name in (line.partition(" | ")[2] for line in found)]
    assert found == expected
