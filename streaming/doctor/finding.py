"""What a look at one thing has found."""

from collections.abc import Callable, Iterator
from typing import NamedTuple


class Finding(NamedTuple):
    """`said`: how it is. `do`: what to type, or to look at, where it is not as it should be; empty where it is."""

    subject: str
    said: str
    do: str = ""

    @property
    def is_well(self) -> bool:
        return not self.do


#: Looks at one thing (blocking).
Look = Callable[[], Iterator[Finding]]
