"""People for tests: users of a server's database, and what their second factor says."""

import re
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection

from tests.processes import PASSWORD, Server, run_manage


def run_in_shell(server: Server, code: str) -> str:
    """Run Python in the server's environment, with the models of users at hand; what it printed."""
    code = f"from django.contrib.auth.models import Group, User\n{code}\n"
    done = run_manage("shell", "-v0", text=code, **server.environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_users(server: Server, **groups: str) -> None:
    """Users by their names, each with PASSWORD and in the group of this name ("": none)."""
    run_in_shell(
        server,
        f"""
from django.contrib.auth.hashers import make_password
password = make_password({PASSWORD!r})
for name, group in {groups!r}.items():
    user = User.objects.create(username=name, email=f"{{name}}@example.org", password=password)
    user.groups.set(Group.objects.filter(name=group))
""",
    )


def read_secret(page: str) -> str:
    """The secret that a page with a QR code shows for typing."""
    found = re.search(r'value="([A-Z2-7]{32})"', page)
    assert found, page
    return found[1]


def make_code(secret: str, ahead: int = 0) -> str:
    """What an authenticator app shows for a secret; `ahead`: so many codes from now (one is good only once)."""
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + ahead)))


def read_on(connection: ClientConnection) -> None:
    while True:
        connection.recv(timeout=20)


def close_of(connection: ClientConnection) -> tuple[int, str]:
    """Read until the connection is closed; the code and the reason."""
    with pytest.raises(ConnectionClosedError) as closed:
        read_on(connection)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def watch(server: Server, visitor: Any) -> ClientConnection:
    """A connection with a visitor's session, over which something came."""
    connection = server.connect(additional_headers=visitor.cookie, legacy=True)  # whoever asks closes it
    connection.recv(timeout=20)
    return connection
