"""People's pages in a real Chromium: how they look, passkeys, and a dashboard whose session ends while it is open."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import end
from tests.page_fixtures import Browser, wait_for_claim
from tests.people_at_work import make_code, make_users
from tests.processes import PASSWORD, ROOT, Server, need

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
FACTORS = "/account/2fa/"
FOR_ALL = ("/account/login/", "/account/password/reset/", "/account/password/reset/done/", "/account/inactive/")
FOR_USERS = (
    "/account/password/change/",
    "/account/sessions/",
    FACTORS,
    f"{FACTORS}totp/activate/",
    f"{FACTORS}webauthn/add/",
    f"{FACTORS}webauthn/",
    "/account/logout/",
    "/admin/login/",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("people-page")
    shutil.copy(prepared_database, folder)
    server = Server(folder, ACCESS="login", STREAM_INTERVAL="0.5").start()
    make_users(server, viewer="Viewer", keen="Viewer", careful="Viewer", fickle="Viewer")
    yield server
    end(server)
    assert "Traceback" not in server.output


@pytest.fixture
def browser(chromium: Any) -> Iterator[Browser]:
    """Chromium; the test fails where one of its pages complained."""
    browser = Browser(chromium)
    yield browser
    for context in browser.contexts:
        context.close()
    assert browser.complaints == []


def address(server: Server, path: str = "/") -> str:
    """By name: passkeys belong to names, not to addresses."""
    return f"http://localhost:{server.port}{path}"


def fill(page: Any, **fields: str) -> None:
    """Fill a form and send it by its last field."""
    for name, value in fields.items():
        page.fill(f"[name={name}]", value)
    page.press(f"[name={list(fields)[-1]}]", "Enter")


def sign_in(page: Any, server: Server, user: str, wanted: str = "/") -> None:
    page.goto(address(server, f"/account/login/?next={wanted}"))
    fill(page, login=user, password=PASSWORD)
    page.wait_for_url(lambda url: "/account/login/" not in url)


def visit(page: Any, server: Server, path: str) -> None:
    """Go to a page, and say the password again where it asks for it."""
    page.goto(address(server, path))
    if "/reauthenticate/" in page.url:
        fill(page, password=PASSWORD)
        page.wait_for_url(address(server, path))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_and_fits_a_phone(browser: Browser, server: Server, theme: str) -> None:
    page = browser.new_page(color_scheme=theme, **PHONE)
    session = page.context.new_cdp_session(page)

    def judge(path: str) -> None:
        visit(page, server, path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        session.send("Runtime.evaluate", {"expression": Path(need(AXE, "axe-core (npm ci)")).read_text()})
        found = page.evaluate("axe.run({ preload: false }).then(({ violations }) => violations)")
        assert [(path, rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []

    for path in FOR_ALL:
        judge(path)
    sign_in(page, server, "viewer", "/account/sessions/")
    for path in FOR_USERS:
        judge(path)
    # axe tries inline styles of its own to measure with; all other complaints stay.
    browser.complaints = [text for text in browser.complaints if "style" not in text]


def test_the_theme_is_the_one_chosen_on_the_dashboard(browser: Browser, server: Server) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(address(server, "/account/login/"))
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.evaluate("localStorage.setItem('quantum-trader-dashboard', JSON.stringify({ theme: 'light' }))")
    page.reload()
    assert page.evaluate(ground) != dark


def test_an_authenticator_app_is_set_up_and_asked(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    sign_in(page, server, "careful", f"{FACTORS}totp/activate/")
    visit(page, server, f"{FACTORS}totp/activate/")
    wait_for_claim(page, "document.querySelector('img.code').naturalWidth > 0")
    secret = page.input_value("#authenticator_secret")
    fill(page, code=make_code(secret))
    page.wait_for_url("**/recovery-codes/")
    page.context.clear_cookies()
    sign_in(page, server, "careful")
    assert page.url == address(server, f"{FACTORS}authenticate/")
    fill(page, code=make_code(secret, ahead=1))
    page.wait_for_selector("#state[data-state=live]")


def test_a_passkey_is_all_that_a_login_needs(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
            }
        },
    )
    sign_in(page, server, "keen", f"{FACTORS}webauthn/add/")
    visit(page, server, f"{FACTORS}webauthn/add/")
    page.fill("[name=name]", "this laptop")
    page.check("[name=passwordless]")
    page.click("#mfa_webauthn_add")
    page.wait_for_url("**/recovery-codes/**")
    visit(page, server, f"{FACTORS}webauthn/")
    assert "this laptop" in page.inner_text("main")
    page.context.clear_cookies()
    page.goto(address(server))
    page.click("#passkey_login")
    page.wait_for_selector("#state[data-state=live]")


def test_a_dashboard_whose_session_ends_says_so_and_goes_on_after_the_next_login(
    browser: Browser, server: Server
) -> None:
    streaming = browser.new_page()
    sign_in(streaming, server, "viewer")
    streaming.wait_for_selector("#state[data-state=live]")
    other = streaming.context.new_page()
    other.goto(address(server))
    other.click("#settings summary")
    other.click("text=Your account")
    other.click("text=Sign out")
    other.wait_for_url("**/account/login/**")
    streaming.wait_for_selector("#state[data-state=refused]")
    assert "SIGNED OUT" in streaming.inner_text("#state")
    last = streaming.evaluate("window.states.length")
    sign_in(other, server, "viewer")
    streaming.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # as when the tab is looked at again
    streaming.wait_for_selector("#state[data-state=live]")
    assert "refused" not in streaming.evaluate("last => window.states.slice(last)", last)
    other.goto(address(server, "/account/sessions/"))
    other.click("text=Sign out")
    streaming.click("#sign-in")
    fill(streaming, login="viewer", password=PASSWORD)
    streaming.wait_for_selector("#state[data-state=live]")


def test_a_new_password_interrupts_nothing_in_the_browser_that_set_it(browser: Browser, server: Server) -> None:
    streaming = browser.new_page()
    sign_in(streaming, server, "fickle")
    streaming.wait_for_selector("#state[data-state=live]")
    other = streaming.context.new_page()
    other.goto(address(server, "/account/password/change/"))
    new = f"{PASSWORD}-and-more"
    fill(other, oldpassword=PASSWORD, password1=new, password2=new)
    other.wait_for_selector(".messages")
    streaming.wait_for_timeout(1500)  # two snapshots' time: what is to come has come
    streaming.wait_for_selector("#state[data-state=live]")
    assert "refused" not in streaming.evaluate("window.states")
