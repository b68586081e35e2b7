"""Runs the publisher in a process of its own."""

import asyncio
import signal
from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from streaming.ending import LAST_S, end_within
from streaming.runtime import Runtime, is_layer_shared
from streaming.supervisor import notify


class Command(BaseCommand):
    """`publish_metrics [--once]`."""

    help = "Publish snapshots from this process (needs REDIS_URL); one of all publishers holds the lease."

    def get_version(self) -> str:
        """What `--version` prints: the dashboard's."""
        return str(settings.VERSION)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="publish one snapshot, print it and end")

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_layer_shared():
            raise CommandError(
                "The channel layer is in memory: nobody outside this process would get a snapshot. Set REDIS_URL to "
                "a Redis that the servers use too, or run no publisher of your own: the server publishes by itself."
            )
        asyncio.run(self.publish_once() if options["once"] else self.publish_until_stopped())

    async def publish_until_stopped(self) -> None:
        """Publish until SIGTERM or Ctrl-C."""
        runtime = Runtime()
        stopped = asyncio.Event()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signal_number, stopped.set)
        runtime.on_pulse = partial(notify, "WATCHDOG=1")
        runtime.start(with_publisher=True)
        notify("READY=1")
        await stopped.wait()
        notify("STOPPING=1")
        end_within(LAST_S)
        await runtime.stop()

    async def publish_once(self) -> None:
        """Publish one snapshot, unless another publisher does already."""
        runtime = Runtime()
        await runtime.hub.recall()
        publisher = runtime.publisher = runtime.make_publisher()
        try:
            snapshot = await publisher.run_once()
        finally:
            await runtime.stop()
        if snapshot is None:
            raise CommandError("Another publisher holds the lease and publishes already; nothing was published.")
        if publisher.failed:
            raise CommandError("The channel layer did not take the snapshot: is the Redis at REDIS_URL up?")
        self.stdout.write(snapshot.encode())
