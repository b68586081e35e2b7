"""Sends under uvicorn: straight to the socket while nothing waits before it (see SocketSender).

uvicorn's `send` would make the frame again for each client; its protocol is ours to extend (`ws=` takes a class).
"""

import asyncio
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import unquote

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected, is_ssl
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol
from websockets.utils import accept_key

from streaming.delivery.eager import begin
from streaming.delivery.sending import AsgiSend, Sender, SteppingSender
from streaming.limits.frames import FAREWELL_S, REASON, FrameBudget
from streaming.limits.visits import Visit
from streaming.mailbox import Mailbox
from streaming.servers.handshake import PlainRequest
from streaming.servers.internals import Door, needs
from streaming.servers.socket_sender import SocketSender


class WatchedProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, which tells the connection's sender what happens to the socket, and measures what comes.

    asyncio's transports, uvloop's too, try to write at once, call `pause_writing` where more than the limit is left,
    and `connection_lost` before they close the socket (asyncio.BaseProtocol).
    """

    sender: "UvicornSender | None" = None
    visit: Visit | None = None
    _budget: FrameBudget | None = None
    _plain: PlainRequest | None = None  # that was not answered yet

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.queue: Any = Mailbox()

    def begin(self, transport: asyncio.Transport, request: PlainRequest) -> None:
        """Begin with a request that was parsed and found well, as `handle_connect` does with one that was not."""
        if self.visit is not None:
            self.visit.meet()
        self.connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # uvloop: write at once
        self._plain = request
        self.handshake_initiated = True
        self.conn.parser = Protocol.parse(self.conn)  # what comes next are frames
        next(self.conn.parser)
        self.scope = {
            "type": "websocket",
            "asgi": {"version": self.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": self.scheme,
            "server": self.server,
            "client": self.client,
            "root_path": self.root_path,
            "path": self.root_path + unquote(request.path.decode()),
            "raw_path": self.root_path.encode() + request.path,
            "query_string": request.query,
            "headers": request.headers,
            "subprotocols": request.subprotocols,
            "state": self.app_state.copy(),
            "extensions": {"websocket.http.response": {}},
        }
        self.queue.put_nowait({"type": "websocket.connect"})
        task = self.loop.create_task(self.run_asgi())
        task.add_done_callback(self.on_task_complete)
        self.tasks.add(task)

    async def send(self, message: Any) -> None:
        """ASGI's; a plain request is accepted with an answer of our own."""
        if self._plain is None or message["type"] != "websocket.accept":
            await super().send(message)
        elif self.disconnected:
            raise ClientDisconnected
        elif not self.transport.is_closing():
            self._accept(self._plain, message.get("subprotocol"), message.get("headers", ()))

    def _accept(self, request: PlainRequest, subprotocol: str | None, headers: Iterable[tuple[bytes, bytes]]) -> None:
        lines = [
            b"HTTP/1.1 101 Switching Protocols",
            b"upgrade: websocket",
            b"connection: Upgrade",
            b"sec-websocket-accept: " + accept_key(request.key).encode(),
            *(b"%b: %b" % header for header in (*self.default_headers, *headers)),
        ]
        if subprotocol is not None:
            lines.append(b"sec-websocket-protocol: " + subprotocol.encode())
        self._plain = None
        self.handshake_complete = True
        self.conn.state = State.OPEN
        self.transport.write(b"\r\n".join([*lines, b"", b""]))
        self.start_keepalive()

    def forget_handshake(self) -> None:
        """Let go of what nobody reads any more: the request, in three shapes, and the answer."""
        with suppress(AttributeError):  # a version that keeps them elsewhere
            scope: Any = self.scope
            scope["headers"].clear()  # a list that the application's copies of the scope have, too
            scope.clear()
            vars(self).pop("request", None)
            vars(self).pop("response", None)

    def pause_writing(self) -> None:
        """The transport keeps something."""
        super().pause_writing()
        if self.sender is not None:
            self.sender.pause()

    def resume_writing(self) -> None:
        """The transport keeps nothing any more."""
        super().resume_writing()
        if self.sender is not None:
            self.sender.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport closes the socket after this."""
        if self.visit is not None:
            self.visit.end()
        if self.sender is not None:
            self.sender.lose()
            self.sender = None  # which knows this protocol
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Look at as much as the client may send; it may have made the server say goodbye."""
        if not self.handshake_initiated:  # the handshake itself
            super().data_received(data)
            return
        if self._budget is None:
            self._budget = FrameBudget()
        allowed = self._budget.spend(len(data))
        super().data_received(data if allowed == len(data) else data[:allowed])
        if allowed < len(data):
            self._cut_off()
        self._look()

    def _cut_off(self) -> None:
        """Read nothing more of a client that sends too much, say why (1008), and end the connection."""
        self.read_paused = False  # nobody resumes it
        self.transport.pause_reading()
        if not self.handshake_complete:
            self.transport.abort()
        elif not self.close_sent and not self.transport.is_closing():
            self.queue.put_nowait(
                {"type": "websocket.disconnect", "code": CloseCode.POLICY_VIOLATION, "reason": REASON}
            )
            self.conn.fail(CloseCode.POLICY_VIOLATION, REASON)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.close_timer = self.loop.call_later(FAREWELL_S, self.transport.abort)

    def send_keepalive_ping(self) -> None:
        """A ping is due."""
        if self.sender is not None and self.sender.spares_ping():
            self.schedule_ping()
        else:
            super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """The server says goodbye."""
        super().keepalive_timeout()
        self._look()

    def _look(self) -> None:
        if self.sender is not None and not self.sender.is_open:
            self.sender.step_back()


class UvicornSender(SocketSender):
    """A Sender for uvicorn's `websockets-sansio` protocol."""

    __slots__ = ("_protocol",)
    name: ClassVar[str] = "uvicorn-socket"

    def __init__(self, protocol: WatchedProtocol) -> None:
        transport: Any = protocol.transport
        super().__init__(transport, transport.get_extra_info("socket").fileno())
        self._protocol = protocol
        protocol.sender = self
        protocol.forget_handshake()
        transport.set_write_buffer_limits(high=0)
        if self.kept:
            self.pause()

    @property
    def is_open(self) -> bool:
        """See SocketSender."""
        return not (self._protocol.close_sent or self._transport.is_closing())

    @property
    def kept(self) -> int:
        """See SocketSender."""
        size: int = self._transport.get_write_buffer_size()
        return size

    def close(self, code: int, reason: str) -> Awaitable[None] | None:
        """See Sender: uvicorn's own way."""
        return begin(self._protocol.send({"type": "websocket.close", "code": code, "reason": reason}))

    def drop(self) -> None:
        """See Sender."""
        self._transport.abort()


class UvicornDoor(Door):
    """What is relied on in uvicorn's WebSocket protocol."""

    server = "uvicorn"
    expected = (
        needs(WebSocketsSansIOProtocol, "transport", "close_sent", "keepalive_timeout"),
        needs(WebSocketsSansIOProtocol, "send_keepalive_ping", "schedule_ping"),
        needs(WebSocketsSansIOProtocol, "pause_writing", "resume_writing", "connection_lost", "data_received"),
        needs(
            WebSocketsSansIOProtocol, "handshake_initiated", "handshake_complete", "read_paused", "close_timer", "queue"
        ),
        needs(WebSocketsSansIOProtocol, "run_asgi", "on_task_complete", "start_keepalive", "default_headers", "conn"),
        needs(HttpToolsProtocol, "handle_websocket_upgrade"),
        needs(ServerProtocol, "parse"),
        needs(Protocol, "parse", "parser", "state"),
    )

    def make_sender(self, send: AsgiSend) -> Sender:
        """The sender of an accepted connection: uvicorn's `send` is a method of its protocol."""
        protocol = getattr(send, "__self__", None)
        if self.is_usable and isinstance(protocol, WatchedProtocol) and not is_ssl(protocol.transport):
            return UvicornSender(protocol)
        return SteppingSender(send)  # it waits for its `writable` event and nothing else, in each of its protocols
