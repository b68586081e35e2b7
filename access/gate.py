"""The gate: lets somebody in, remembers that, and finds out when it ends.

Whom a credential belongs to is asked from the database once; then it is remembered, and looked at again when something
about it changes (`access.announcing`), each minute, and when it expires. While the database does not answer, who is in
stays in: nothing that could end that can have been written.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from weakref import WeakValueDictionary

from django.db import Error as DatabaseError

from access.credentials import Credential
from access.lookup import Found, look_up, note_used
from access.viewer import Admission, RefusedError
from metrics.database_thread import DatabaseThread

logger = logging.getLogger(__name__)

#: Seconds that somebody waits until it is known who they are.
PATIENCE_S = 3.0
#: How many are remembered that have no connection open.
REMEMBERED = 1000
#: Seconds after which somebody without a connection is asked for again.
FRESH_S = 60.0


class Gate:
    """One process's: knows who is in."""

    def __init__(self, *, wall: Callable[[], float] = time.time) -> None:
        """`wall`: Unix seconds."""
        self._wall = wall
        self._thread = DatabaseThread("access")
        self._admissions: WeakValueDictionary[Credential, Admission] = WeakValueDictionary()
        self._remembered: OrderedDict[Credential, tuple[float, Admission]] = OrderedDict()
        self._looks = 0  # how often something was looked at again
        self.is_unanswered = False

    async def admit(self, credential: Credential | None) -> Admission:
        """Let somebody in. Raises RefusedError: 401, 403, or 503 where the database does not answer."""
        if credential is None:
            raise RefusedError(401, "sign in, or send a token")
        admission = self._recall(credential)
        while admission is None:
            looks = self._looks
            found = (await self._ask([credential]))[credential]
            if isinstance(found, RefusedError):
                raise found
            if looks == self._looks:  # else what was just read may have been changed since
                admission = self._remember(credential, found)
        admission.used_at = self._wall()
        return admission

    def _recall(self, credential: Credential) -> Admission | None:
        """Who was let in with this before, and still is."""
        admission = self._admissions.get(credential)
        if admission is None or admission.is_over or self._is_expired(admission):
            return None
        return admission

    def _remember(self, credential: Credential, admission: Admission) -> Admission:
        """Keep who was let in; all their connections share what is returned."""
        present = self._recall(credential)
        if present is not None:
            return present  # another connection was faster
        self._admissions[credential] = admission
        self._remembered[credential] = (self._wall(), admission)
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return admission

    async def _ask(self, credentials: Collection[Credential]) -> Found:
        """Ask the database. Raises RefusedError (503)."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = await self._thread.ask(lambda: look_up(credentials))
        except (TimeoutError, OSError, DatabaseError) as error:
            if not self.is_unanswered:
                self.is_unanswered = True
                logger.warning(
                    "The database does not tell who may look (%s): who is in stays in, nobody else gets in.",
                    str(error) or "no answer in time",
                )
            raise RefusedError(503, "the database does not tell who may look; try again") from error
        if self.is_unanswered:
            self.is_unanswered = False
            logger.info("The database tells again who may look.")
        return found

    def _is_expired(self, admission: Admission) -> bool:
        return admission.expires_at is not None and admission.expires_at <= self._wall()

    # --- the end ---

    async def look_again(self, keys: Collection[str] | None = None) -> list[tuple[Admission, RefusedError]]:
        """Ask again about all who depend on one of `keys` (None: all); return whose admission has ended, and why.

        Raises RefusedError (503) where the database does not answer: then nothing has ended; ask again.
        """
        self._looks += 1
        asked = {
            credential: admission
            for credential, admission in tuple(self._admissions.items())
            if not admission.is_over and (keys is None or not admission.keys.isdisjoint(keys))
        }
        self._forget_unused()
        if not asked:
            return []
        found = await self._ask(asked)
        ended = []
        for credential, admission in asked.items():
            now = found[credential]
            if isinstance(now, RefusedError):
                ended.append((admission, now))
            elif now.viewer != admission.viewer:
                ended.append((admission, RefusedError(401, "what you may see has changed: come back")))
            else:
                admission.expires_at = now.expires_at
        for admission, _ in ended:
            admission.is_over = True
        return ended

    def expire(self) -> list[tuple[Admission, RefusedError]]:
        """End what has expired; return whose admission that was, and why."""
        ended = []
        for admission in tuple(self._admissions.values()):
            if not admission.is_over and self._is_expired(admission):
                admission.is_over = True
                ended.append((admission, RefusedError(401, "it has expired: sign in again")))
        return ended

    def _forget_unused(self) -> None:
        """Forget those who were not asked for in the last minute; whoever has a connection open stays."""
        now = self._wall()
        while self._remembered and now - next(iter(self._remembered.values()))[0] > FRESH_S:
            self._remembered.popitem(last=False)

    async def note_used(self, since: float) -> None:
        """Write which tokens and sessions were used after `since` (Unix seconds), or have a connection open."""
        used = [
            (credential, admission)
            for credential, admission in tuple(self._admissions.items())
            if not admission.is_over and admission.used_at > since
        ]
        tokens = {
            int(key.removeprefix("token:"))
            for _, admission in used
            for key in admission.keys
            if key.startswith("token:")
        }
        sessions = {credential.secret for credential, _ in used if credential.kind == "session"}
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._thread.ask(lambda: note_used(tokens, sessions))
        except (TimeoutError, OSError, DatabaseError) as error:
            logger.debug("What was used last cannot be written: %s", error)

    def close(self) -> None:
        """Ask nothing more."""
        self._thread.close()
