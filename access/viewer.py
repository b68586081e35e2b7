"""Who looks, and what they may see."""

from dataclasses import dataclass, field
from enum import StrEnum

from access.share import Share


class Scope(StrEnum):
    """What may be read."""

    STREAM = "stream"
    HISTORY = "history"
    HEALTH = "health"
    METRICS = "metrics"


EVERYTHING = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. `name` is for people and for the record; `key` says who it is (`user:7`, `token:12`, `link:3`).

    `share`: what a share link shows; None: all. `may_share`: whether they may make such links.
    """

    name: str
    key: str = ""
    scopes: frozenset[Scope] = EVERYTHING
    share: Share | None = None
    may_share: bool = False


#: Where access is open nobody asks who somebody is.
ANYBODY = Viewer("anybody")


@dataclass(eq=False, slots=True, weakref_slot=True)
class Admission:
    """That somebody was let in, shared by all of their connections, until it ends.

    It depends on `keys` (`session:…`, `user:7`, `token:12`, `link:3`): where something about one of them changes it is
    looked at again. `expires_at`: Unix seconds; None: never.
    """

    viewer: Viewer
    keys: frozenset[str] = field(default_factory=frozenset)
    expires_at: float | None = None
    used_at: float = 0.0  # Unix seconds
    is_over: bool = False


class RefusedError(Exception):
    """Somebody is not let in. `status`: as in HTTP.

    401: say who you are; 403: you may not; 404: there is no such link; 429: too many.

    The message is a clause of 120 bytes at most: WebSockets take no longer reason (RFC 6455, section 5.5).
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class SecondFactorMissingError(RefusedError):
    """Somebody may look as soon as they have set up a second factor."""

    def __init__(self) -> None:
        super().__init__(403, "set up a second factor first, in your account")
