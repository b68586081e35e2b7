"""A WebSocket's opening handshake (RFC 6455, section 4.2), of a request that the server's HTTP has parsed already.

Both servers write the request down once more, for their WebSocket library to parse and judge: a quarter of what a
connect cost on uvicorn, a fifth on Daphne. In a plain one, in which nothing is unusual, there is nothing left to find,
and it becomes a WebSocket. Any other goes the server's own way, to a library that knows what is wrong with it.
"""

import re
from typing import NamedTuple, Self

#: What may be in a plain request: a path (not what a URL has after its scheme) and a query, names (without underscores:
#: servers differ in them), values.
URL, NAMES, VALUES = re.compile(rb"/(?!/)[!\"$-:<-~]*"), re.compile(rb"[a-z0-9-]*"), re.compile(rb"[\t -~]*")
#: Bytes of a head, and headers, above which a library may find it too large.
LARGEST_HEAD, MOST_HEADERS = 8000, 100
#: Headers that say that a body comes.
BODY = {b"content-length", b"transfer-encoding"}

HOST = rb"(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d+)?"
TOKEN = rb"[\w!#$%&'*+.^`|~-]+"  # RFC 9110, section 5.6.2
#: What the headers of a plain handshake say; RFC 6455 and 9110 allow more.
SAID = {
    name: re.compile(pattern, re.ASCII)
    for name, pattern in {
        b"host": HOST,
        b"upgrade": rb"(?i:websocket)",
        b"connection": rb"(?i:keep-alive, )?(?i:upgrade)",
        b"sec-websocket-version": rb"13",
        b"sec-websocket-key": rb"[A-Za-z0-9+/]{22}==",
        b"origin": rb"https?://" + HOST,
        b"sec-websocket-protocol": TOKEN + rb"(?:, ?" + TOKEN + rb")*",
    }.items()
}
#: Those of them that need not be there.
OPTIONAL = {b"origin", b"sec-websocket-protocol"}

Headers = list[tuple[bytes, bytes]]


class PlainRequest(NamedTuple):
    """A request to become a WebSocket. `path` and `query` as they were sent, `headers` with lowercase names."""

    path: bytes
    query: bytes
    headers: Headers
    key: str
    subprotocols: list[str]

    @classmethod
    def find(cls, method: bytes, url: bytes, version: bytes, headers: Headers) -> Self | None:
        """The request that a parser found in a head, where it is a plain one. `version`: of HTTP, as in `1.1`."""
        fields = dict(headers)
        if (
            method != b"GET"
            or version != b"1.1"
            or not len(fields) == len(headers) <= MOST_HEADERS  # something is said twice
            or len(url) + sum(map(len, fields.values())) > LARGEST_HEAD
            or not URL.fullmatch(url)
            or b"" in fields
            or not NAMES.fullmatch(b"".join(fields))
            or not VALUES.fullmatch(b"".join(fields.values()))
            or not fields.keys().isdisjoint(BODY)
        ):
            return None
        for name, pattern in SAID.items():
            value = fields.get(name)
            if name not in OPTIONAL if value is None else not pattern.fullmatch(value):
                return None
        path, _, query = url.partition(b"?")
        offered = fields.get(b"sec-websocket-protocol")
        subprotocols = [] if offered is None else [name.strip() for name in offered.decode().split(",")]
        if len(set(subprotocols)) < len(subprotocols):
            return None
        return cls(path, query, headers, fields[b"sec-websocket-key"].decode(), subprotocols)
