"""Clients that are all sent the same from the same place on: one's messages are told apart, the others' compared.

To tell each of six million messages apart would take a load generator half a minute, in which it, and not the server,
would be what is measured. Nothing is taken on trust: each byte of each client is compared.
"""

from bisect import bisect_right

from benchmarks.load.connection import PING, TEXT, Connection, make_pong, split_frames
from benchmarks.load.recorder import Recorder


class Reference:
    """Whose messages the recorder judges."""

    last: int | None = None


class Story:
    """What everybody is sent, byte by byte, and how far each has come."""

    def __init__(self, recorder: Recorder) -> None:
        """`recorder`: judges what is new in the story, once for all."""
        self._told = bytearray()  # whole frames with texts, without pings
        self._ends = [0]  # where each begins, and the last ends
        self._recorder = recorder
        self._places: dict[Connection, int] = {}  # in bytes
        self._reference = Reference()
        self.strays = 0  # messages that are not the story's next

    @property
    def messages(self) -> int:
        """Received by all together."""
        return sum(bisect_right(self._ends, place) - 1 for place in self._places.values())

    @property
    def whole(self) -> int:
        """How many have all of it."""
        return sum(place == len(self._told) for place in self._places.values())

    def forget(self, connection: Connection) -> None:
        """It is gone."""
        self._places.pop(connection, None)

    def take(self, connection: Connection, data: bytes, received: float) -> None:
        """`data` came at `received` (Unix seconds); pings are answered."""
        place = self._places.get(connection, 0)
        if not connection.rest:
            end = place + len(data)
            if self._told[place:end] == data:
                self._places[connection] = end
                return
        # Its newest end, where the story goes on; or a ping; or nothing that is of it.
        begun = self._ends[bisect_right(self._ends, place) - 1]
        frames, connection.rest = split_frames(bytes(self._told[begun:place]) + connection.rest + data)
        place = begun
        for frame in frames:
            if frame.opcode == PING:
                connection.socket.send(make_pong(frame.payload))
            elif frame.opcode == TEXT:
                if place == len(self._told):
                    self._told += frame.raw
                    self._ends.append(len(self._told))
                    self._recorder.note(self._reference, frame.raw, received)
                elif self._told[place : place + len(frame.raw)] != frame.raw:
                    self.strays += 1
                place += len(frame.raw)
        self._places[connection] = place
