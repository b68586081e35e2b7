"""Which cases are run, at which interval, for how long."""

import math
from dataclasses import dataclass

from benchmarks.peers import PEERS, Peer
from benchmarks.processes import raise_file_limit

#: Clients that are connected before memory is first looked at: the first ones load modules.
FIRST_CLIENTS = 10
#: Clients that the connects per second beside all clients are compared with.
FEW_CLIENTS = 100
#: Clients that are added, and taken away again, to measure connects per second beside an open stream.
NEWCOMERS = 1000
#: Files that a process needs besides its clients' sockets.
OTHER_FILES = 64
#: Seconds of CPU per second of time that a peer is asked for at most.
LOAD = 0.8
#: Seconds between snapshots from 20,000 clients on: what the dashboard has by default.
PRODUCT_INTERVAL_S = 3.0
#: Seconds that a case's stream may be watched where the window is short; a peer that cannot do with less is left out,
#: and named.
LONGEST_WATCH_S = 45.0


@dataclass(frozen=True)
class Case:
    """One peer with so many clients. `warm_up` and `watched`: snapshots before and in the measured window."""

    peer: Peer
    clients: int
    interval_s: float
    warm_up: int
    watched: int
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.peer.name} with {self.clients:,}"


@dataclass(frozen=True)
class Plan:
    """The run. `left_out`: peers or cases that are not run, with the reason."""

    cases: list[Case]
    left_out: list[str]


def most_clients() -> int:
    """How many clients the limit of open files allows."""
    return raise_file_limit() - OTHER_FILES


def make_plan(peers: list[str], clients: list[int], *, rate: float, window_s: float, rounds: int) -> Plan:
    """Choose the cases; all peers with N clients come one after the other, so that they see the same machine.

    `rate`: messages per second, all clients together. `window_s`: how long to measure, where `watched` allows.
    """
    left_out, able = [], []
    for name in peers:
        if missing := PEERS[name].find_missing():
            left_out.append(f"{name}: {missing}")
        else:
            able.append(PEERS[name])
    most = most_clients()
    cases = []
    for _ in range(rounds):
        for wanted in clients:
            for peer in able:
                able_to = min(wanted, most // peer.files_a_client)
                case = make_case(peer, wanted, able_to, rate=rate, window_s=window_s)
                if case.interval_s * (case.warm_up + case.watched) > max(LONGEST_WATCH_S, 1.5 * window_s):
                    reason = f"one snapshot takes it about {wanted * peer.guess_cost_us(wanted) / 1e6:.0f} s of CPU"
                    left_out.append(f"{peer.name} with {wanted:,} clients: {reason}")
                else:
                    cases.append(case)
    return Plan(cases, list(dict.fromkeys(left_out)))


def make_case(peer: Peer, wanted: int, clients: int, *, rate: float, window_s: float) -> Case:
    """A case with `clients`, as many as can be had of those `wanted`."""
    notes = []
    if clients < wanted:
        notes.append(f"{clients:,} clients, not {wanted:,}: more files may not be opened here")
    interval_s = PRODUCT_INTERVAL_S if wanted >= 20_000 else max(wanted / rate, 0.05)
    needed_s = wanted * peer.guess_cost_us(wanted) / 1e6 / LOAD
    warm_up, watched = 2, max(5, math.ceil(window_s / max(interval_s, needed_s)))
    if needed_s > interval_s:
        interval_s = float(math.ceil(needed_s * 10) / 10)
        notes.append(f"every {interval_s:g} s, for it cannot keep up with {rate:,.0f} messages a second")
        if interval_s > 5:
            warm_up, watched = 1, 2
            notes.append("2 snapshots")
    return Case(peer, clients, interval_s, warm_up, watched, "; ".join(notes))
