"""Hashes passwords, a few at a time: each one keeps a core busy for a third of a second, and each login comes with a
thread of its own. However many log in at once, the stream keeps its share of the machine; they wait for each other.
"""

from threading import BoundedSemaphore

from django.contrib.auth.hashers import PBKDF2PasswordHasher

#: How many passwords a process hashes at once.
AT_ONCE = 2

_places = BoundedSemaphore(AT_ONCE)


class PooledPBKDF2(PBKDF2PasswordHasher):
    """Django's own hasher (what it hashed before stays valid), AT_ONCE at a time."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Hash, once there is a place."""
        with _places:
            return super().encode(password, salt, iterations)
