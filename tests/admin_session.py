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
        """What the page of all sources says of each group (as the admin names it).

        `source` is what is chosen, `reads_now` and `age` are of that source, `text` and `html` are all of the group.
        """
        _, page = self.get(LIST)
        found = {}
        for section in re.findall(r'<section class="comparison".*?</section>', page, re.DOTALL):
            heads = re.findall(r'<th scope="col"\s+class="([^"]*)"\s+data-kind="\w+">(.*?)</th>', section, re.DOTALL)
            chosen = next(number for number, (classes, _) in enumerate(heads) if "chosen" in classes)
            lines = {}
            for label, rest in re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', section, re.DOTALL):
                lines[label] = as_text(re.findall(r"<td.*?>(.*?)</td>", rest, re.DOTALL)[chosen])
            found[as_text(re.findall(r"<h2.*?</h2>", section, re.DOTALL)[0])] = {
                "source": as_text(heads[chosen][1]),
                "age": lines.pop("Age"),
                "reads_now": "\n".join(f"{label}: {text}" for label, text in lines.items()),
                "text": as_text(section),
                "html": section,
            }
        return found

    def preview(self, group: str, kind: str) -> str:
        """Look at what switching `group` to `kind` would change; returns the address of that page."""
        part = self.rows()[group]["html"]
        own = re.search(rf'href="({LIST}\d+/)change/"', part)
        assert own, part
        address = f"{own[1]}switch/{kind}/"
        assert self.get(address)[0] == 200
        return address

    def click(self, group: str, kind: str) -> tuple[int, str]:
        """Switch `group` to `kind`: press its button, and confirm the preview as it is shown."""
        address = self.preview(group, kind)
        return self.post(address, **dict(re.findall(r'name="(from_\w+)"\s+value="(\w+)"', self.page)))

    def log(self) -> str:
        """The whole admin log of the sources, as text."""
        return " ".join(as_text(self.get(f"{LIST}{number}/history/")[1]) for number in (1, 2, 3))


def as_text(markup: str) -> str:
    """What is left to read of HTML."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", markup))).strip()
