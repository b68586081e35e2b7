"""The stream as Channels knows it: a consumer behind routers, with Channels' own test client."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings

from quantum_dashboard.asgi import application
from streaming.delivery.consumer import LiveConsumer
from streaming.delivery.origin import OriginMiddleware
from streaming.delivery.routing import make_websocket_urlpatterns
from streaming.delivery.sending import AsgiSender
from streaming.runtime import Runtime
from streaming.servers import SERVERS, find_make_sender
from streaming.servers.internals import Door, needs
from tests.conftest import StartServer
from tests.hubs import make_frame

LIVE = "/stream/live"
#: Of this site, as ALLOWED_HOSTS names it.
HOST = (b"host", b"localhost")


def make_application(runtime: Runtime) -> Any:
    """The WebSocket part of asgi.py, around a runtime that publishes nothing by itself."""
    router = URLRouter(make_websocket_urlpatterns(runtime.hub, lambda: runtime.hub.is_ready.set()))
    return OriginMiddleware(router, [])


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(bounded())


def test_the_stream_is_a_channels_consumer_behind_the_usual_routers() -> None:
    assert issubclass(LiveConsumer, AsyncWebsocketConsumer)
    assert isinstance(application, ProtocolTypeRouter)
    websockets = application.application_mapping["websocket"]
    assert isinstance(websockets, OriginMiddleware)
    router = websockets.application.application  # beyond those who keep places
    assert isinstance(router, URLRouter)
    assert router.routes[0].callback.consumer_class is LiveConsumer


def test_channels_own_client_gets_the_newest_snapshot_then_each_new_one() -> None:
    async def scenario() -> None:
        runtime = Runtime()
        await runtime.hub.pass_on(make_frame(1, text="first"))
        client = WebsocketCommunicator(make_application(runtime), LIVE, headers=[HOST])
        assert await client.connect() == (True, None)
        assert await client.receive_from() == "first"
        await runtime.hub.pass_on(make_frame(2, text="second"))
        assert await client.receive_from() == "second"
        await client.send_to(text_data="ignored")
        assert await client.receive_nothing()
        await client.disconnect()
        assert not runtime.hub.clients

    run(scenario)


def test_it_resumes_by_since_and_refuses_one_that_is_none() -> None:
    async def scenario() -> None:
        runtime = Runtime()
        for number in range(1735174460001, 1735174460004):
            await runtime.hub.pass_on(make_frame(number, text=str(number)))
        client = WebsocketCommunicator(make_application(runtime), f"{LIVE}?since=1735174460001", headers=[HOST])
        await client.connect()
        assert [await client.receive_from(), await client.receive_from()] == ["1735174460002", "1735174460003"]
        await client.disconnect()
        client = WebsocketCommunicator(make_application(runtime), f"{LIVE}/?since=yesterday", headers=[HOST])
        await client.connect()
        closing = await client.receive_output()
        assert (closing["type"], closing["code"]) == ("websocket.close", 4400)
        assert "since=1735174460123" in closing["reason"]
        await client.disconnect()

    run(scenario)


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/stream/other", []), ("/", []), (LIVE, [(b"host", b"localhost"), (b"origin", b"https://evil.example")])],
)
def test_other_addresses_and_other_sites_are_refused(path: str, headers: list[tuple[bytes, bytes]]) -> None:
    async def scenario() -> None:
        client = WebsocketCommunicator(make_application(Runtime()), path, headers=headers)
        is_connected, _ = await client.connect()
        assert not is_connected

    run(scenario)


def test_two_runtimes_in_one_process_are_two_streams() -> None:
    async def scenario() -> None:
        first, second = Runtime(), Runtime()
        clients = [
            WebsocketCommunicator(make_application(runtime), LIVE, headers=[HOST]) for runtime in (first, second)
        ]
        for client in clients:
            await client.connect()
        await first.hub.pass_on(make_frame(1, text="of the first"))
        assert await clients[0].receive_from() == "of the first"
        assert await clients[1].receive_nothing()
        for client in clients:
            await client.disconnect()

    run(scenario)


def test_a_connection_that_ends_without_a_disconnect_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        runtime = Runtime()
        client = WebsocketCommunicator(make_application(runtime), LIVE, headers=[HOST])
        await client.connect()
        assert len(runtime.hub.clients) == 1
        client.future.cancel()  # what Daphne does to an application that takes too long to close
        await asyncio.wait([client.future])
        assert not runtime.hub.clients

    run(scenario)


def test_nothing_but_the_scope_s_own_copy_is_let_go() -> None:
    async def scenario() -> None:
        runtime = Runtime()
        client = WebsocketCommunicator(make_application(runtime), LIVE, headers=[HOST])
        await client.connect()
        assert client.scope["path"] == LIVE  # the server's own is as it was
        await client.disconnect()

    run(scenario)


@pytest.mark.parametrize(("server", "sender"), [("daphne", "daphne-socket"), ("uvicorn", "uvicorn-socket")])
def test_each_server_s_connections_are_sent_to_by_its_own_sender(
    start_server: StartServer, server: str, sender: str
) -> None:
    running = start_server(server)
    with running.connect() as connection:
        connection.recv(timeout=20)
        assert running.health()["sender"] == sender
    assert "costs more" not in running.output


@pytest.mark.parametrize("server", SERVERS)
def test_of_a_server_that_is_not_as_expected_the_plain_send_is_used(
    server: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    door: type[Door] = find_make_sender(server).__self__.__class__  # type: ignore[attr-defined]
    monkeypatch.setattr(door, "expected", (*door.expected, needs(Runtime, "_gone_in_this_version")))
    with caplog.at_level(logging.WARNING):
        make_sender = find_make_sender(server)
    assert "no streaming.runtime.Runtime._gone_in_this_version" in caplog.text
    assert make_sender(AsyncSend()).name == "stepping"


class AsyncSend:
    """An ASGI send."""

    async def __call__(self, message: Any) -> None:
        pass


def test_of_a_server_that_nobody_looked_into_each_send_runs_in_a_task() -> None:
    async def scenario() -> None:
        tasks: list[asyncio.Task[Any] | None] = []

        async def send(message: Any) -> None:
            tasks.append(asyncio.current_task())

        runtime = Runtime()
        assert runtime.hub.make_sender is AsgiSender
        runtime.hub.join(send)
        await runtime.hub.pass_on(make_frame(1, text="first"))
        while not tasks:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert tasks[0] is not asyncio.current_task()

    run(scenario)


def test_the_largest_message_is_one_number_for_every_server() -> None:
    assert settings.STREAM_LARGEST_MESSAGE == settings.DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE == 4096
