"""Share links on real servers, one with open access and one with a login: what reaches a viewer, and when it ends."""

import asyncio
import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket

from metrics.catalogue import CATALOGUE, METRICS, Group
from tests.admin_session import AdminSession
from tests.conftest import end
from tests.processes import MEASURED, Redis, Server, wait_until
from tests.test_access_tokens import close_of, manage

VIEWERS = 1000


class Site(NamedTuple):
    """Two processes that share a database and a Redis, and the secrets of three links."""

    servers: list[Server]
    ai: str
    changes: str
    everything: str


SHELL = """
import json
from datetime import timedelta
from django.contrib.auth.models import User
from django.utils import timezone
from access.models import ShareLink
admin = User.objects.get(username="admin")
def share(label, groups, maker=admin, **options):
    return ShareLink(label=label, groups=groups, made_by=maker, **options).begin()
"""


def run_in_shell(server: Server, code: str) -> str:
    """Run `code` in a process of its own; what it prints last."""
    return manage(server, "shell", "-v0", code=SHELL + code).split("\n")[-1]


def share(server: Server, code: str) -> str:
    """The secret of a new link, made by `code`."""
    return run_in_shell(server, f"print({code})")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("links")
    shutil.copy(prepared_database, folder)
    redis = Redis(folder).start()
    settings = {"REDIS_URL": redis.url, "LOG_LEVEL": "DEBUG", "STREAM_REPLAY": "5", "CONNECTIONS_PER_ADDRESS": "0"}
    servers = [
        Server(folder, kind, ACCESS=access, **settings, **MEASURED).start()
        for kind, access in (("daphne", "open"), ("uvicorn", "login"))
    ]
    wait_until(lambda: len(history_of(servers[0], "/stream/history")["snapshots"]) > 12, 30)
    code = """
print(json.dumps([
    share("The wall", ["ai"]),
    share("Changes", ["portfolio"]),
    share("Everything", ["system", "ai", "portfolio"], shows_amounts=True),
]))
"""
    secrets = json.loads(run_in_shell(servers[0], code))
    yield Site(servers, *secrets)
    for process in (*servers, redis):
        end(process)
    for server in servers:
        assert "Internal Server Error" not in server.output
        assert "should; it is let go" not in server.output
        assert not [secret for secret in secrets if secret in server.output]


def history_of(server: Server, path: str) -> dict[str, Any]:
    return json.loads(server.get(path)[1])  # type: ignore[no-any-return]


def connect(server: Server, secret: str, query: str = "") -> ClientConnection:
    """A connection that lives although nobody reads it for a while."""
    address = f"ws://127.0.0.1:{server.port}/share/{secret}/stream/live{query}"
    return open_socket(address, compression=None, close_timeout=1, ping_interval=None, max_queue=None)


def everything_that_reaches(server: Server, secret: str) -> dict[str, str]:
    """All that a viewer of a link can get, by where it comes from."""
    base = f"/share/{secret}"
    paths = ["/", "/stream/latest", "/stream/health", "/stream/history"]
    paths += [f"/stream/history?{query}" for query in ("points=5", "format=csv", "format=csv&points=5")]
    got = {}
    for path in paths:
        status, got[path] = server.get(base + path)
        assert status == 200, path
    newest = json.loads(got["/stream/latest"])["id"]
    for query in ("", "?since=1", f"?since={newest - 1}"):  # live; from history; from memory
        with connect(server, secret, query) as connection:
            got[f"live{query}"] = "\n".join(
                str(connection.recv(timeout=20)) for _ in range(12 if query == "?since=1" else 3)
            )
    return got


def test_a_link_of_ai_brings_nothing_else(site: Site) -> None:
    foreign = [*(metric.key for metric in CATALOGUE if metric.group is not Group.AI), "portfolio", "system"]
    own = [metric.key for metric in CATALOGUE if metric.group is Group.AI]
    for server in site.servers:
        for path, text in everything_that_reaches(server, site.ai).items():
            for key in foreign:
                assert not re.search(rf'"{key}|\b(source_)?{key}(_\w+)?,|{key}:', text), (path, key)
            if path not in {"/", "/stream/health"}:
                assert all(key in text for key in own), path
        page = server.get(f"/share/{site.ai}/")[1]
        assert "The wall" in page
        assert not [metric.label for metric in METRICS.values() if metric.key in foreign and metric.label in page]
        assert "/admin/" not in page


def test_amounts_that_are_hidden_are_nowhere(site: Site) -> None:
    for server in site.servers:
        got = everything_that_reaches(server, site.changes)
        published = history_of(site.servers[0], "/stream/history")["snapshots"]
        amounts = {json.dumps(snapshot["pnl"]) for snapshot in published}
        assert len(amounts) > 8
        for path, text in got.items():
            assert not [amount for amount in amounts if amount in text], path
            assert '"pnl"' not in text, path
        by_id = {snapshot["id"]: snapshot["pnl"] for snapshot in published}
        shown = [json.loads(line) for line in got["live?since=1"].split("\n")]
        # Each is the change from one and the same base, which nobody was told.
        bases = [by_id[one["id"]] / (1 + one["pnl_change"] / 100) for one in shown]
        assert max(bases) - min(bases) < 0.0002 * abs(bases[0])


def test_a_link_of_everything_sends_the_very_messages(site: Site) -> None:
    for server in site.servers:
        with connect(server, site.everything, "?since=1") as connection:
            shared = [json.loads(connection.recv(timeout=20)) for _ in range(10)]
        published = history_of(site.servers[0], "/stream/history")["snapshots"]
        assert shared == published[:10]


def test_a_resuming_viewer_misses_nothing(site: Site) -> None:
    for server in site.servers:
        with connect(server, site.ai, "?since=1") as connection:
            received = [json.loads(connection.recv(timeout=20)) for _ in range(20)]
        for before, after in pairwise(received):
            assert after["previous"] == before["id"]


def test_a_link_needs_nothing_else_and_opens_nothing_else(site: Site) -> None:
    is_login = site.servers[1]
    for path in ("/stream/latest", "/stream/history"):
        assert is_login.get(path)[0] == 401
        assert is_login.get(f"/share/{site.ai}{path}?token=qtd_x")[0] == 400
    health = json.loads(is_login.get(f"/share/{site.ai}/stream/health")[1])
    assert set(health) == {"status", "age"}


def test_its_address_is_kept_from_others(site: Site) -> None:
    for server in site.servers:
        for path in ("/", "/stream/latest", "/stream/history", "/stream/health"):
            with urlopen(f"{server.url}/share/{site.ai}{path}", timeout=10) as response:
                assert response.headers["Referrer-Policy"] == "no-referrer", path
                assert response.headers["X-Robots-Tag"] == "noindex", path
                assert "private" in response.headers["Cache-Control"], path


def test_the_validators_of_two_links_differ(site: Site) -> None:
    tags = set()
    for secret in (site.ai, site.everything, site.changes):
        with urlopen(f"{site.servers[0].url}/share/{secret}/stream/history?from=1&to=2", timeout=10) as response:
            tags.add(response.headers["ETag"])
    assert len(tags) == 3


WELL_MADE = "A" * 43
HOSTILE = [
    "",
    "x",
    WELL_MADE,
    "A" * 44,
    "A" * 5000,
    "../" * 20,
    "%00" * 43,
    "' OR 1=1 --",
    "ä" * 43,
    "A" * 42 + "\u0661",
    "A" * 42 + "\n",
]


@pytest.mark.parametrize("secret", HOSTILE, ids=range(len(HOSTILE)))
def test_a_wrong_secret_is_told_nothing(site: Site, secret: str) -> None:
    for server in site.servers:
        path = f"/share/{quote(secret, safe='%/.')}/"
        status, page = server.get(path)
        assert status == 404
        assert "does not work" in page
        assert server.get(f"{path}stream/latest")[0] == 404
        if secret == WELL_MADE:
            with connect(server, secret) as connection:
                assert close_of(connection)[0] == 4403
        else:
            with pytest.raises(InvalidStatus, match="403"), connect(server, quote(secret, safe="%/.")):
                pass


def test_other_methods_change_nothing(site: Site) -> None:
    for path in ("/", "/stream/latest", "/stream/history", "/stream/health"):
        for method in ("POST", "PUT", "DELETE"):
            status = site.servers[0].get(f"/share/{site.ai}{path}", method)[0]
            assert status in {403, 405}, (path, method)  # 403: the page's, without a token against forgery


ENDINGS = [
    "link.revoke()",
    "link.delete()",
    "link.expires_at = timezone.now(); link.save()",
    "maker.is_active = False; maker.save()",
    "maker.is_superuser = False; maker.save()",
    "maker.delete()",
]


def test_links_that_end_are_closed_everywhere_at_once(site: Site) -> None:
    begin = f"""
makers = [User.objects.create(username=f"maker {{number}}", is_superuser=True) for number in range({len(ENDINGS)})]
print(json.dumps([share(maker.username, ["ai"], maker) for maker in makers]))
"""
    secrets = json.loads(run_in_shell(site.servers[0], begin))
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(server, secret)) for server in site.servers for secret in secrets]
        for connection in connections:
            connection.recv(timeout=20)
        changes = ""
        for number, ending in enumerate(ENDINGS):
            maker = f'maker = User.objects.get(username="maker {number}")'
            changes += f"{maker}\nlink = maker.share_links.get()\n{ending}\n"
        run_in_shell(site.servers[0], changes)
        began = time.monotonic()
        for connection in connections:
            code, reason = close_of(connection)
            assert code == 4403
            assert "revoked" in reason
    took = time.monotonic() - began
    print(f"the last of {len(connections)} connections was closed {took:.2f} s after the last change")
    assert took < 30, "that was the look at everybody, once a minute"
    for server in site.servers:
        for secret in secrets:
            assert server.get(f"/share/{secret}/stream/latest")[0] == 404


def test_a_link_that_expires_is_closed(site: Site) -> None:
    secret = share(site.servers[0], 'share("Short", ["ai"], expires_at=timezone.now() + timedelta(seconds=3))')
    with connect(site.servers[1], secret) as connection:
        code, reason = close_of(connection)
    assert code == 4403
    assert "expired" in reason


async def look(server: Server, path: str, together: asyncio.Semaphore) -> asyncio.StreamWriter:
    """Open a stream, and wait for its first message. By hand: a thousand of any package's cost ten times as much."""
    async with together:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Connection: Upgrade", "Upgrade: websocket"]
        head += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: bm90IHNlY3JldCEhISEhIQ==", "", ""]
        writer.write("\r\n".join(head).encode())
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b'"accuracy"')
        return writer


async def look_together(server: Server, path: str) -> None:
    together = asyncio.Semaphore(50)
    for writer in await asyncio.gather(*(look(server, path, together) for _ in range(VIEWERS))):
        writer.close()


def test_a_thousand_viewers_cost_one_question_and_one_encoding_each_snapshot(site: Site) -> None:
    secret = share(site.servers[0], 'share("Many", ["ai", "system"])')
    for server in site.servers:
        before = len(server.output)
        asyncio.run(look_together(server, f"/share/{secret}/stream/live"))
        said = server.output[before:]
        assert said.count("Client connected") >= VIEWERS
        asked = said.count("Asking the database who looks: link.")
        assert 1 <= asked <= 2  # twice where the look at everybody, once a minute, came in between
        encoded = re.findall(r"Encoding (\d+) for a share link", said)
        assert len(encoded) >= 2
        assert len(encoded) == len(set(encoded))


# --- staff ---


def test_staff_makes_lists_and_revokes_links(site: Site) -> None:
    server = site.servers[1]
    staff = AdminSession(server)
    assert "/admin/access/sharelink/add/" in staff.get("/")[1]
    staff.get("/admin/access/sharelink/add/")
    fields = {"label": "Colleague", "groups": ["ai", "portfolio"], "expires_at_0": "", "expires_at_1": ""}
    status, listed = staff.post("/admin/access/sharelink/add/", **fields)
    assert status == 200
    found = re.search(rf'value="({re.escape(server.url)}/share/[^"]+/)" aria-label="Address of Colleague"', listed)
    assert found, listed
    path = found[1].removeprefix(server.url)
    assert "pnl_change" in server.get(f"{path}stream/latest")[1]
    number = re.search(r'name="_selected_action" value="(\d+)"[^>]*aria-label="[^"]*Colleague', listed)
    assert number, listed
    with open_socket(f"ws{server.url[4:]}{path}stream/live", close_timeout=1) as connection:
        connection.recv(timeout=20)
        _, listed = staff.post("/admin/access/sharelink/", action="revoke", _selected_action=number[1])
        assert close_of(connection)[0] == 4403
    assert path not in listed
    assert server.get(path)[0] == 404
    record = staff.get("/admin/access/recordentry/")[1]
    assert "link made" in record.lower()
    assert "link revoked" in record.lower()


def test_who_may_not_share_sees_no_address(site: Site) -> None:
    server = site.servers[1]
    code = """
from django.contrib.auth.models import Permission
user = User.objects.create_user("looker", password="a-password-for-this-test", is_staff=True)
user.user_permissions.add(Permission.objects.get(codename="look"))
print("ok")
"""
    assert run_in_shell(server, code) == "ok"
    looker = AdminSession(server, "looker")
    status, page = looker.get("/")
    assert status == 200
    assert "sharelink" not in page
    for path in ("", "add/", "1/change/"):
        assert looker.get(f"/admin/access/sharelink/{path}")[0] == 403


def test_a_link_tells_where_nothing_is_to_compare_with(site: Site) -> None:
    """An amount that was not known when the link was made has no change; nothing is made up for it."""
    code = """
from access.models import share_link
share_link.find_bases = lambda groups: []
print(share("No base", ["portfolio"]))
"""
    secret = run_in_shell(site.servers[0], code)
    latest = json.loads(site.servers[0].get(f"/share/{secret}/stream/latest")[1])
    assert latest["pnl_change"] is None
    assert latest["problems"]["pnl_change"] == "incomparable"
    staff = AdminSession(site.servers[1])
    assert "nothing to compare with: Profit and loss" in staff.get("/admin/access/sharelink/")[1]


def test_the_address_outlives_the_key_that_it_was_made_with(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    code = 'link = ShareLink.objects.get(label="The wall"); print(link.secret)'
    server = site.servers[0]
    assert run_in_shell(server, code) == site.ai
    monkeypatch.setitem(server.environment, "SECRET_KEY", "another-key-that-is-long-enough-for-a-test-of-this-kind")
    assert run_in_shell(server, code) == "None"
    assert server.get(f"/share/{site.ai}/")[0] == 200
