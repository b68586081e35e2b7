"""The servers that are compared, one module each. A peer is a handful of programs that stream at an address."""

from benchmarks.peers.behind_nginx import NGINX_DAPHNE, NGINX_UVICORN
from benchmarks.peers.fastapi_peer import FastAPI
from benchmarks.peers.nchan import Nchan
from benchmarks.peers.ours import OURS_DAPHNE, OURS_UVICORN
from benchmarks.peers.peer import Peer
from benchmarks.peers.textbook import TextbookDaphne, TextbookRedis
from benchmarks.peers.websockets_peer import WebsocketsBroadcast

#: In the order of the report.
PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        OURS_DAPHNE,
        OURS_UVICORN,
        NGINX_DAPHNE,
        NGINX_UVICORN,
        TextbookDaphne(),
        TextbookRedis(),
        FastAPI(),
        WebsocketsBroadcast(),
        Nchan(),
    )
}

__all__ = ["PEERS", "Peer"]
