"""What is relied on inside a server, beyond what it promises: looked at once, when that server runs.

An upgrade may change it. Then the server's own `send` is used, which costs more, and a warning says so.
"""

import dis
import logging
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from streaming.delivery.sending import AsgiSend, Sender

logger = logging.getLogger(__name__)


class Expectation(NamedTuple):
    """A class and the attributes that it must have, or that its methods set or read on its instances."""

    owner: type
    attributes: tuple[str, ...]

    def find_missing(self) -> Iterator[str]:
        """Every attribute that it has not."""
        for name in self.attributes:
            if not hasattr(self.owner, name) and not self._is_used(name):
                yield f"{self.owner.__module__}.{self.owner.__qualname__}.{name}"

    def _is_used(self, name: str) -> bool:
        """Whether a method of the class sets or reads an attribute of that name: a variable of that name is none."""
        codes = (getattr(member, "__code__", None) for member in vars(self.owner).values())
        return any(
            step.argval == name and step.opname in {"LOAD_ATTR", "STORE_ATTR"}
            for code in codes
            if code is not None and name in code.co_names
            for step in dis.get_instructions(code)
        )


def needs(owner: type, *attributes: str) -> Expectation:
    """An expectation, as it is written down."""
    return Expectation(owner, attributes)


class Door:
    """One server's internals. Making it looks at what is expected and warns of what is not there."""

    server: ClassVar[str]
    expected: ClassVar[tuple[Expectation, ...]]

    @classmethod
    def find_missing(cls) -> list[str]:
        """Whatever is expected of this server and is not there."""
        return [name for expectation in cls.expected for name in expectation.find_missing()]

    def __init__(self) -> None:
        missing = self.find_missing()
        self.is_usable = not missing
        if missing:
            logger.warning(
                "This %s is not one that is known here (no %s): snapshots go through its own `send`, which costs more. "
                "requirements.txt names the versions that were looked at.",
                self.server,
                ", ".join(missing),
            )

    def make_sender(self, send: AsgiSend) -> Sender:
        """The sender of an accepted connection, from its ASGI `send`."""
        raise NotImplementedError
