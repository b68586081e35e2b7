"""A WebSocket's opening handshake (RFC 6455, section 4.2) that is told by a connection's first bytes.

Both servers parse them as HTTP, and write the request down once more for their WebSocket library to parse and judge:
two fifths of what a connect cost. A plain one, in which nothing is unusual, makes the connection a WebSocket from the
start. Anything else goes the server's own way, to those who know what is wrong with it.
"""

import re
from typing import NamedTuple, Self

#: All of a plain request: a path (not what a URL has after its scheme) and a query, then headers, their names without
#: underscores (servers differ in them), their values without anything around them.
HEADER = rb"([A-Za-z0-9-]++): ([!-~](?:[\t -~]*[!-~])?)\r\n"
LINES = re.compile(HEADER)
HEAD = re.compile(rb"GET (/(?!/)[!\"$-:<-~]*+) HTTP/1\.1\r\n((?:" + HEADER + rb")++)\r\n")
#: Bytes, and headers, above which a library may find a request too large.
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
    def find(cls, data: bytes) -> Self | None:
        """The request that `data`, all that a connection has sent yet, is where it is a plain one and nothing more."""
        head = HEAD.fullmatch(data) if len(data) <= LARGEST_HEAD else None
        if head is None:
            return None
        headers = [(name.lower(), value) for name, value in LINES.findall(head[2])]
        fields = dict(headers)
        if not len(fields) == len(headers) <= MOST_HEADERS:  # something is said twice
            return None
        if not fields.keys().isdisjoint(BODY):
            return None
        for name, pattern in SAID.items():
            value = fields.get(name)
            if name not in OPTIONAL if value is None else not pattern.fullmatch(value):
                return None
        path, _, query = head[1].partition(b"?")
        offered = fields.get(b"sec-websocket-protocol")
        subprotocols = [] if offered is None else [name.strip() for name in offered.decode().split(",")]
        if len(set(subprotocols)) < len(subprotocols):
            return None
        return cls(path, query, headers, fields[b"sec-websocket-key"].decode(), subprotocols)
