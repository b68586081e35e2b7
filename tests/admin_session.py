"""Staff at work: the real admin pages, as a browser without JavaScript would use them."""

import html
import re
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from typing import Any

from tests.processes import PASSWORD, Server

LIST = "/admin/metrics/datasource/"


class Visitor:
    """Somebody with a browser that keeps cookies. `address`: where their requests come from, for a proxy's word."""

    def __init__(self, server: Server, address: str = "") -> None:
        self.server = server
        self.cookies = CookieJar()
        self.path = self.page = ""
        self._headers = {"X-Forwarded-For": address} if address else {}
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def sign_in(self, user: str, password: str = PASSWORD, wanted: str = "/") -> tuple[int, str]:
        """Send the login's form; what comes after it."""
        self.get(f"/account/login/?next={urllib.parse.quote(wanted)}")
        return self.post("/account/login/", login=user, password=password, next=wanted)

    @property
    def cookie(self) -> dict[str, str]:
        """The header with which a program of theirs sends the session."""
        (session,) = (cookie.value for cookie in self.cookies if cookie.name == "sessionid")
        return {"Cookie": f"sessionid={session}"}

    def _open(self, request: urllib.request.Request) -> tuple[int, str]:
        for name, value in self._headers.items():
            request.add_header(name, value)
        try:
            with self._opener.open(request, timeout=20) as response:
                self.path = response.url.removeprefix(self.server.url)
                self.page = response.read().decode()
                return response.status, self.page
        except urllib.error.HTTPError as error:
            self.path = error.url.removeprefix(self.server.url)
            return error.code, error.read().decode()

    def get(self, path: str) -> tuple[int, str]:
        return self._open(urllib.request.Request(self.server.url + path))

    def post(self, path: str, **fields: Any) -> tuple[int, str]:
        """Send a form with the token of the page that was read last."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.page)
        pairs = [("csrfmiddlewaretoken", token[1] if token else "")]
        for name, value in fields.items():
            pairs += [(name, each) for each in value] if isinstance(value, list) else [(name, value)]
        data = urllib.parse.urlencode(pairs).encode()
        request = urllib.request.Request(self.server.url + path, data=data, headers={"Referer": self.server.url + path})
        return self._open(request)


class AdminSession(Visitor):
    """Somebody who is logged in and in the admin."""

    def __init__(self, server: Server, user: str = "admin", password: str = PASSWORD) -> None:
        super().__init__(server)
        status, page = self.sign_in(user, password, "/admin/")
        assert status == 200, page
        assert "logout" in page, page

    def rows(self) -> dict[str, dict[str, str]]:
        """The list's cells as text, by group and column."""
        _, page = self.get(LIST)
        found = {}
        for row in re.findall(
            r"<tr>\s*(?:<td class=\"action-checkbox\">.*?</td>)?<th class=\"field-group\">.*?</tr>", page, re.DOTALL
        ):
            cells = dict(re.findall(r'<t[hd] class="field-(\w+)[^"]*">(.*?)</t[hd]>', row, re.DOTALL))
            texts = {name: html.unescape(re.sub(r"<[^>]+>", " ", cell)).strip() for name, cell in cells.items()}
            texts["html"] = row
            found[texts["group"]] = texts
        return found

    def click(self, group: str, kind: str) -> tuple[int, str]:
        """Press the button of `kind` in the row of `group` (as the admin names it)."""
        row = self.rows()[group]["html"]
        address = re.search(rf'formaction="([^"]+/switch/{kind}/)"', row)
        assert address, row
        return self.post(address[1])

    def log(self) -> str:
        """The whole admin log of the sources, as text."""
        texts = [re.sub(r"<[^>]+>", " ", self.get(f"{LIST}{number}/history/")[1]) for number in (1, 2, 3)]
        return re.sub(r"\s+", " ", html.unescape(" ".join(texts)))
