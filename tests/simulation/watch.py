"""Watches over a schedule: what was published, stored and received, and whether any of it may not be."""

from collections.abc import Callable
from typing import Any, NamedTuple

from metrics.snapshot import EncodedSnapshot
from tests.simulation.loop import SimulatedLoop


class Publication(NamedTuple):
    """A snapshot of the sequence."""

    previous: int | None
    term: int
    text: str
    at: float


class Watch:
    """Notes what happens, as the servers see it: no process can be mistaken about that."""

    def __init__(self, loop: SimulatedLoop, tell: Callable[[str], None]) -> None:
        self.loop = loop
        self.tell = tell
        self.published: dict[int, Publication] = {}
        self.order: list[int] = []
        self.head: int | None = None
        self.abandoned: set[int] = set()  # ids that a fork has left beside the sequence
        self.violations: list[str] = []
        self.lost_by_redis: set[int] = set()  # ids that Redis had, and lost with its data
        self.refused: set[int] = set()  # ids that the fence refused, which somebody was told
        self.given_up: set[int] = set()
        self.forks = 0  # that Redis could not prevent: it had lost its data
        self.breaks = 0  # snapshots whose predecessor nobody knew
        self.highest_term = 0
        self.may_fork = False  # since data was lost, until the next publication
        #: Whether nobody can know what was published before a snapshot.
        self.is_forgotten: Callable[[EncodedSnapshot], bool] = lambda message: False

    def object(self, violation: str) -> None:
        """Something may not be."""
        self.tell(f"VIOLATION: {violation}")
        self.violations.append(f"at {self.loop.now:.3f} s: {violation}")

    def note_publication(self, arguments: tuple[Any, ...], answer: list[bytes], holder: str | None) -> None:
        """Redis has answered a publisher; `holder` had the lease then."""
        claimed, previous, number, term, text = arguments[:5]
        self.tell(f"redis: {claimed} publishes {number} after {previous or 'nothing'}: {answer[0].decode()}")
        if answer[0] != b"published":
            return
        if number in self.published and self.published[number].text == text:
            return  # it was before; the answer may have been lost
        if claimed != holder:
            self.object(f"{claimed} published {number} while {holder} had the lease")
        self.add(EncodedSnapshot(number, int(previous) if previous else None, term, text))

    def add(self, message: EncodedSnapshot) -> None:
        """`message` is published."""
        number, previous, term, text = message
        last = self.head
        if number in self.published:
            if self.published[number].text != text:
                self.object(f"two snapshots share the id {number}")
            return
        if previous != last:
            if previous is None:
                self.breaks += 1
            else:
                self.forks += 1
                self.abandoned.update(one for one in self.order if previous < one < number)
            if not self.may_fork and not self.is_forgotten(message):
                self.object(f"{number} was published after {previous}, though {last} was published before it")
        if last is not None and number <= last and not self.may_fork and not self.is_forgotten(message):
            self.object(f"{number} was published after {last}")
        if term < self.highest_term:
            self.object(f"{number} was published in term {term}, after one in term {self.highest_term}")
        self.highest_term = max(self.highest_term, term)
        if last is None or number > last:
            self.head, self.may_fork = number, False
        else:
            self.abandoned.add(number)
        self.published[number] = Publication(previous, term, text, self.loop.now)
        self.order.append(number)

    def note_lease(self, term: int, token: str) -> None:
        self.tell(f"redis: {token} asks for the lease: {f'term {term}' if term else 'another has it'}")

    def note_data_loss(self, lost: set[int]) -> None:
        """Redis has lost these ids, and with them the head of the stream."""
        self.tell(f"redis: lost {len(lost)} snapshots")
        self.lost_by_redis |= lost
        self.may_fork = True

    def lost_to_all(self) -> set[int]:
        """The ids that Redis had and lost, and that nobody who went on knew: else whoever did has to keep them."""
        return self.lost_by_redis - {publication.previous for publication in self.published.values()}

    def note_refusal(self, message: EncodedSnapshot) -> None:
        """History refused `message`, and whoever wrote it was told."""
        self.tell(f"database: refuses {message.id} of term {message.term}")
        self.refused.add(message.id)

    def note_row(self, message: EncodedSnapshot) -> None:
        """History has `message`."""
        publication = self.published.get(message.id)
        if publication is None:
            self.object(f"{message.id} was stored, and never published")
        elif publication.text != message.text:
            self.object(f"two snapshots share the id {message.id}: one was published, another one stored")

    def note_arrival(self, client: str, number: int, text: str) -> None:
        """A client has received a snapshot."""
        publication = self.published.get(number)
        if publication is None:
            self.object(f"{client} received {number}, which was never published")
        elif publication.text != text:
            self.object(f"two snapshots share the id {number}: {client} received another one")
