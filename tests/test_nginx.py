"""The dashboard as it is deployed: workers behind nginx, over TLS, with the configuration of deploy/nginx."""

import asyncio
import csv
import http.client
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from playwright.sync_api import sync_playwright
from websockets.exceptions import InvalidStatus

from streaming.ledger import Entry, Ledger, compare
from streaming.roamers import Crowd
from streaming.servers import PING_TIMEOUT_S, ping_interval_s
from tests.conftest import end
from tests.deployed_site import NAME, Site
from tests.filled_history import fill_postgresql
from tests.nginx import CONFIGURATION, DeployedNginx
from tests.page_fixtures import Browser, launch
from tests.processes import wait_until
from tests.releases import add_metric, make_release, set_version

#: Snapshots in the long answer, 150 bytes each. `make deploy-test` has a million.
EXPORTED = int(os.environ.get("EXPORTED", "50000"))
#: Bytes a second that the browser takes of anything, and how much more memory the answer may take of any process.
PACE, HELD = int(os.environ.get("PACE", "3000000")), 12_000_000
#: How many follow the stream while it is upgraded, and from how many addresses: nginx allows 200 each.
CLIENTS, ADDRESSES = 200, 2


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    assert "syntax is ok" in site.nginx.check()
    site.start()
    yield site
    site.end()
    assert "Traceback" not in site.server.output
    assert "emerg" not in (site.folder / "nginx-error.log").read_text()


def test_the_configuration_without_tls_is_right_too(tmp_path: Path) -> None:
    nginx = DeployedNginx(tmp_path, [1])
    assert "syntax is ok" in nginx.check()
    nginx.start()
    end(nginx)


def test_a_stream_without_a_word_is_ended_only_after_two_pings_did_not_come() -> None:
    text = (CONFIGURATION / "locations.conf").read_text()
    limits = re.findall(r"stream/live\$? \{.*?proxy_read_timeout (\d+)s;", text, re.DOTALL)
    assert len(limits) == 2
    assert all(int(limit) > 2 * ping_interval_s(3.0) + PING_TIMEOUT_S for limit in limits)


def test_the_page_comes_over_tls_and_what_comes_without_is_sent_there(site: Site) -> None:
    answer, body = site.get("/")
    assert answer.status == 200
    assert b'<html lang="en">' in body
    assert answer.headers["Strict-Transport-Security"]
    plain = http.client.HTTPConnection("127.0.0.1", site.nginx.plain_port, timeout=30)
    with closing(plain):
        plain.request("GET", "/stream/history?points=4", headers={"Host": NAME})
        moved = plain.getresponse()
    assert (moved.status, moved.headers["Location"]) == (308, f"https://{NAME}/stream/history?points=4")


def test_static_files_are_kept_for_ever_by_their_names(site: Site) -> None:
    _, page = site.get("/")
    path = re.search(rb'(/static/[^"]+\.[0-9a-f]{12}\.css)', page)
    assert path is not None
    answer, body = site.get(path[1].decode())
    assert answer.status == 200
    assert body
    assert "immutable" in answer.headers["Cache-Control"]


def test_the_admin_asks_for_a_password_without_an_endless_redirect(site: Site) -> None:
    answer, _ = site.get("/admin/")
    assert answer.status == 302
    place = answer.headers["Location"]
    assert place.startswith("/")
    hops = 0
    while answer.status == 302 and hops < 3:
        answer, body = site.get(place)
        place = answer.headers.get("Location", place)
        hops += 1
    assert answer.status == 200
    assert b'name="password"' in body
    cookies = answer.headers.get_all("Set-Cookie") or []
    assert any(cookie.startswith("__Host-csrftoken=") and "Secure" in cookie for cookie in cookies)


def test_health_is_answered_past_all_limits_by_address_too(site: Site) -> None:
    for _ in range(100):
        answer, body = site.get("/stream/health", Host="127.0.0.1")
        assert answer.status == 200
    assert json.loads(body)["status"] in {"ok", "degraded"}


def test_too_many_requests_of_one_address_are_refused(site: Site) -> None:
    statuses = {site.get("/manifest.webmanifest")[0].status for _ in range(150)}
    assert statuses in ({200, 429}, {200})  # a slow machine asks no faster than it may
    wait_until(lambda: site.get("/manifest.webmanifest")[0].status == 200, 30)


def test_a_page_of_another_site_gets_no_stream(site: Site) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        site.follow(origin="https://evil.example")


@pytest.mark.timeout(240)
def test_a_rolling_upgrade_under_200_clients_loses_doubles_and_forks_nothing(site: Site) -> None:
    """To a release with a metric more. Each client comes back with `since`; meanwhile all who ask are answered."""
    release = make_release(site.folder / "releases" / "second")
    set_version(release, "99.0.0")
    add_metric(release)
    statuses: list[int] = []
    ledgers = asyncio.run(follow_while(site, lambda: site.upgrade(release), statuses))
    assert set(statuses) == {200}
    for ledger in ledgers:  # read from history again, they have the metrics of whoever reads
        ledger.entries = [entry._replace(content=None) for entry in ledger.entries]
    judged = compare(ledgers, read_rows(site, ledgers))
    assert judged.sentences == []
    assert judged.holes_told == 0
    assert json.loads(site.get("/stream/health")[1])["version"] == "99.0.0"
    with site.follow() as connection:
        assert 0 <= json.loads(connection.recv(timeout=30))["drawdown"] <= 1


async def follow_while(site: Site, act: Callable[[], None], statuses: list[int]) -> list[Ledger]:
    """What CLIENTS received from before `act` until all have what was published after it."""
    async with AsyncExitStack() as stack:
        crowds = [
            await stack.enter_async_context(
                Crowd(
                    [f"{site.address.replace('https', 'wss')}stream/live"],
                    CLIENTS // ADDRESSES,
                    stay_s=(600, 600),
                    options={"ssl": site.trust, "local_addr": (f"127.0.0.{2 + number}", 0)},
                )
            )
            for number in range(ADDRESSES)
        ]
        roamers = [roamer for crowd in crowds for roamer in crowd.roamers]
        while not all(roamer.ledger.entries for roamer in roamers):  # noqa: ASYNC110 - many clients, polled
            await asyncio.sleep(0.05)
        acting = asyncio.create_task(asyncio.to_thread(act))
        while not acting.done():
            statuses.append((await asyncio.to_thread(site.get, "/stream/health/live"))[0].status)
            await asyncio.sleep(0.25)
        await acting
        newest = max(roamer.ledger.last or 0 for roamer in roamers)
        while min(roamer.ledger.last or 0 for roamer in roamers) <= newest:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
        assert all(roamer.connections >= 2 for roamer in roamers)  # nobody stayed at an old worker
        return [roamer.ledger for roamer in roamers]


def read_rows(site: Site, ledgers: list[Ledger]) -> list[Entry]:
    """What history keeps of the time, once it has all of it."""
    received = {entry.id for ledger in ledgers for entry in ledger.entries}
    statement = "SELECT id, previous FROM metrics_snapshotrecord WHERE id BETWEEN %s AND %s"
    with psycopg.connect(site.postgresql.url, autocommit=True) as connection:

        def read() -> list[Entry]:
            rows = connection.execute(statement, [min(received), max(received)])
            return [Entry(*row) for row in rows]

        wait_until(lambda: received <= {row.id for row in read()})
        return read()


@pytest.fixture(scope="module")
def chromium(site: Site) -> Iterator[Any]:
    """One that trusts the site's certificate, which a service worker needs."""
    with sync_playwright() as playwright:
        chromium = launch(playwright, f"--ignore-certificate-errors-spki-list={site.key}")
        yield chromium
        chromium.close()


class Witness:
    """Somebody who follows the stream while something else goes on, and looks at the memory that it takes."""

    def __init__(self, site: Site) -> None:
        self._processes = [*site.server.workers, psutil.Process(site.nginx.pid)]
        self._processes += self._processes[-1].children()
        self._site = site
        self._before = self._memory()
        self.ledger = Ledger()
        self.late_s: list[float] = []
        self.grown = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _memory(self) -> list[int]:
        """Bytes of each process."""
        return [process.memory_info().rss for process in self._processes]

    def _follow(self) -> None:
        with self._site.follow() as connection:
            while not self._is_over.is_set():
                message = json.loads(connection.recv(timeout=30))
                self.late_s.append(time.time() - message["timestamp"])
                self.ledger.note(message)
                grown = [now - before for now, before in zip(self._memory(), self._before, strict=True)]
                self.grown = max(self.grown, *grown)

    def end(self) -> None:
        """Stop looking."""
        self._is_over.set()
        self._thread.join()

    def tell(self) -> str:
        """What it saw, for whoever wants figures."""
        late_ms = sorted(round(late * 1000) for late in self.late_s)
        middle, most = late_ms[len(late_ms) // 2], late_ms[-1]
        count, grown = len(late_ms), self.grown >> 20
        return f"{count} snapshots meanwhile, after {middle} ms (median), {most} ms at most; {grown} MiB more memory"


#: What a link of the page does that is clicked.
CLICK = "href => Object.assign(document.createElement('a'), { href, download: '' }).click()"
#: Seconds that the long answer may take.
PATIENCE_S = 60 + EXPORTED / 2000


@pytest.mark.timeout(PATIENCE_S + 120)
def test_a_long_csv_comes_whole_to_a_slow_browser_while_the_stream_goes_on(site: Site, browser: Browser) -> None:
    last_ms = json.loads(site.get("/stream/latest")[1])["id"] - 3_600_000
    first_ms = last_ms - (EXPORTED - 1) * 3000
    fill_postgresql(site.postgresql.url, EXPORTED, last_ms)
    page = browser.open(site.address)
    slow = {"offline": False, "latency": 0, "downloadThroughput": PACE, "uploadThroughput": -1}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    witness = Witness(site)
    began = time.monotonic()
    with page.expect_download(timeout=PATIENCE_S * 1000) as download:
        query = f"from={first_ms / 1000}&to={last_ms / 1000 + 0.001}&format=csv"
        page.evaluate(CLICK, f"/stream/history?{query}")
    path = download.value.path()
    witness.end()
    print(f"{path.stat().st_size / 1e6:.1f} MB in {time.monotonic() - began:.1f} s, {witness.tell()}")
    with path.open(newline="") as file:
        links = [(int(line["id"]), int(line["previous"])) for line in csv.DictReader(file)]
    assert links == [(number, number - 3000) for number in range(first_ms, last_ms + 1, 3000)]
    assert witness.grown < HELD
    assert not witness.ledger.holes
    assert not witness.ledger.doubled
    assert len(witness.ledger.entries) >= 3
    page.wait_for_selector("#state[data-state=live]")
