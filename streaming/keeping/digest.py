"""A number for all rows of a table, whatever their order: two tables with the same number have the same rows."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

#: Of the sum of all rows' hashes: that two tables differ and have the same one, nobody will live to see.
BITS = 128


class Digest(NamedTuple):
    """How many rows, and the sum of their hashes."""

    rows: int = 0
    sum: int = 0

    def add(self, row: bytes) -> "Digest":
        """With one row more."""
        number = int.from_bytes(hashlib.blake2b(row, digest_size=BITS // 8).digest())
        return Digest(self.rows + 1, (self.sum + number) % (1 << BITS))


def digest_rows(rows: Iterable[bytes]) -> Digest:
    """Of all `rows`."""
    digest = Digest()
    for row in rows:
        digest = digest.add(row)
    return digest
