"""Connections whose sockets are written to directly, and descriptors that are given to others when they are closed."""

from typing import TYPE_CHECKING, ClassVar

from websockets.frames import Frame, Opcode

from streaming.servers.socket_sender import SocketSender
from tests.simulation.clients import Connection

if TYPE_CHECKING:
    from tests.simulation.clients import SimulatedClient
    from tests.simulation.process import Process
    from tests.simulation.world import World

#: Bytes of a socket's buffer for each message that its client has room for.
MESSAGE_BYTES = 400
GOODBYE = Frame(Opcode.CLOSE, b"").serialize(mask=False)
#: What servers write of themselves, and how often after something was taken.
PING = Frame(Opcode.PING, bytes(120)).serialize(mask=False)
PING_CHANCE = 0.1


class Descriptors:
    """The open sockets by their numbers; the lowest that is free is given next, as the kernel does."""

    def __init__(self) -> None:
        self._open: dict[int, SocketConnection] = {}

    def open(self, connection: "SocketConnection") -> int:
        number = next(number for number in range(len(self._open) + 1) if number not in self._open)
        self._open[number] = connection
        return number

    def close(self, number: int) -> None:
        del self._open[number]

    def write(self, number: int, data: bytes) -> int:
        """os.write. Raises OSError where the socket takes nothing."""
        return self._open[number].take(data)


class SimulatedSender(SocketSender):
    """The real sender, on a simulated socket and a transport that keeps what it does not take."""

    __slots__ = ("_connection",)
    name: ClassVar[str] = "simulated-socket"

    def __init__(self, connection: "SocketConnection", descriptors: Descriptors) -> None:
        super().__init__(connection, descriptors.open(connection))
        self._connection = connection

    @property
    def is_open(self) -> bool:
        """See SocketSender."""
        return self._connection.is_open

    @property
    def kept(self) -> int:
        """See SocketSender."""
        return len(self._connection.kept)

    def put(self, data: bytes) -> int:
        """See SocketSender."""
        return self._connection.take(data)

    def close(self, code: int, reason: str) -> None:
        """See Sender."""
        self._connection.write(GOODBYE)

    def drop(self) -> None:
        """See Sender."""
        self._connection.break_off()


class SocketConnection(Connection):
    """A Connection by bytes. It is its own transport, on the server's end."""

    def __init__(self, world: "World", client: "SimulatedClient", process: "Process") -> None:
        super().__init__(world, client, process)
        self.room = client.room * MESSAGE_BYTES
        self.data = bytearray()  # on its way
        self.kept = bytearray()  # by the transport
        self.inbox = bytearray()  # the client's
        self.sender: SimulatedSender | None = None

    # --- the server's end ---

    def make_sender(self) -> SimulatedSender:
        """What the server's door does."""
        self.sender = SimulatedSender(self, self.world.descriptors)
        return self.sender

    def take(self, data: bytes) -> int:
        """As much of `data` as there is room for. Raises OSError where that is nothing."""
        count = min(len(data), self.room - len(self.data))
        if not self.is_open or not count:
            raise BlockingIOError
        self.data += data[:count]
        self._read_soon()
        if self.world.chance.random() < PING_CHANCE:
            self.process.soon(self.write, PING)
        return count

    def write(self, data: bytes) -> None:
        """The transport's: keeps what the socket does not take."""
        if self.is_open:
            self.kept += data
            self._flush()

    def _flush(self) -> None:
        """Called in the server's process."""
        sender = self.sender
        if sender is None or not self.is_open:
            return
        if self.kept:
            count = min(len(self.kept), self.room - len(self.data))
            self.data += self.kept[:count]
            del self.kept[:count]
            self._read_soon()
        if self.kept:
            sender.pause()
        else:
            sender.resume()

    def _leave(self) -> None:
        """The server closes the socket: it tells the sender, and then the number is free."""
        if self.sender is not None:
            self.sender.lose()
            self.world.descriptors.close(self.sender.descriptor)
        super()._leave()

    # --- the client's end ---

    def _read(self) -> None:
        self._is_reading = False
        if not self.is_open:
            return
        count = MESSAGE_BYTES if self.client.pause_s > 0.01 else len(self.data)
        self.inbox += self.data[:count]
        del self.data[:count]
        while self.is_open and (frame := split_frame(self.inbox)) is not None:
            opcode, payload = frame
            if opcode is Opcode.TEXT:
                self.client.receive(payload.decode())
            elif opcode is Opcode.CLOSE:
                self.break_off()
        if self.is_open and self.kept:  # a busy loop comes to it late
            self.world.loop.later(0.6 * self.world.chance.random(), self.process.soon, self._flush)
        if self.is_open and self.data:
            self._read_soon()


def split_frame(data: bytearray) -> tuple[Opcode, bytes] | None:
    """Take a server's first frame off (RFC 6455, section 5.2); None where it is not all there."""
    start = 4 if data[1:2] == b"\x7e" else 2
    if len(data) < start:
        return None
    end = start + (int.from_bytes(data[2:4], "big") if start == 4 else data[1])
    if end > len(data):
        return None
    frame = Opcode(data[0] & 0x0F), bytes(data[start:end])
    del data[:end]
    return frame
