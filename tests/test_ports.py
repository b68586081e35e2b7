"""Ports for tests: a server gets the one it was given, whatever else runs on the machine."""

import socket

import pytest

from tests import ports
from tests.ports import FIRST, SHARES, find_end, free_port, list_share


def test_no_connection_is_given_the_port_of_a_server_that_is_not_up_yet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as connection:
        system = [server.getsockname()[1], connection.getsockname()[1]]
    assert all(FIRST <= free_port() < find_end() <= min(system) for _ in range(100))


def test_no_port_is_given_twice_soon() -> None:
    assert len({free_port() for _ in range(300)}) == 300


def test_no_two_processes_of_a_run_are_given_the_same_port() -> None:
    shares = [set(list_share(f"gw{number}")) for number in range(SHARES)]
    assert len(set.union(*shares)) == sum(map(len, shares)) == find_end() - FIRST


def test_a_port_where_somebody_listens_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        taken, other = server.getsockname()[1], free_port()
        monkeypatch.setattr(ports, "SHARE", iter([taken, other]))
        assert free_port() == other
