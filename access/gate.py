"""The gate: lets somebody in, remembers that, and finds out when it ends.

Whom a credential belongs to is asked from the database once; then it is remembered, and looked at again when something
about it changes (`access.announcing`), each minute, and when it expires. While the database does not answer, who is in
stays in: nothing that could end that can have been written.
"""

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from weakref import WeakValueDictionary

from django.db import Error as DatabaseError

from access.credentials import Credential
from access.lookup import LINK_ENDED, SIGN_IN_AGAIN, Found, look_up, note_used
from access.people.sessions import purge_some
from access.viewer import Admission, RefusedError
from metrics.database_thread import DatabaseThread

logger = logging.getLogger(__name__)

#: Seconds that somebody waits until it is known who they are.
PATIENCE_S = 3.0
#: How many are remembered that have no connection open.
REMEMBERED = 1000
#: Seconds after which somebody without a connection is asked for again.
FRESH_S = 60.0
#: Seconds between two steps of deleting sessions that have ended.
PAUSE_S = 0.05


class Gate:
    """One process's: knows who is in."""

    def __init__(self, *, most_connections: int = 50, wall: Callable[[], float] = time.time) -> None:
        """`most_connections`: that one viewer may have open. `wall`: Unix seconds."""
        self._most_connections = most_connections
        self._wall = wall
        self._thread = DatabaseThread("access")
        self._admissions: WeakValueDictionary[Credential, Admission] = WeakValueDictionary()
        self._remembered: OrderedDict[Credential, tuple[float, Admission]] = OrderedDict()
        self._connections: Counter[str] = Counter()  # open ones, by viewer
        self._looks = 0  # how often something was looked at again
        self._asking: dict[Credential, tuple[int, asyncio.Task[Found]]] = {}  # with `_looks` when it was asked
        self.is_unanswered = False
        self.has_admitted = asyncio.Event()  # somebody, who may still be in: else nothing can end

    async def admit(self, credential: Credential | None) -> Admission:
        """Let somebody in. Raises RefusedError: 401, 403, or 503 where the database does not answer."""
        if credential is None:
            raise RefusedError(401, "sign in, or send a token")
        admission = self._recall(credential)
        while admission is None:
            looks = self._looks
            found = (await self._ask_together(credential))[credential]
            if isinstance(found, RefusedError):
                raise found
            if looks == self._looks:  # else what was just read may have been changed since
                admission = self._remember(credential, found)
        admission.used_at = self._wall()
        return admission

    def enter(self, admission: Admission) -> None:
        """Count a connection that is opened. Raises RefusedError: 401 for one that has ended, 429 for one too many."""
        if admission.is_over:
            raise RefusedError(404, LINK_ENDED) if admission.viewer.share else RefusedError(401, SIGN_IN_AGAIN)
        is_link = admission.viewer.share is not None  # which is for as many as have its address
        if not is_link and self._connections[admission.viewer.key] >= self._most_connections:
            raise RefusedError(429, f"{self._most_connections} connections are open already: close some")
        self._connections[admission.viewer.key] += 1

    def leave(self, admission: Admission) -> None:
        """Count a connection that has ended, once for each that entered."""
        key = admission.viewer.key
        self._connections[key] -= 1
        if not self._connections[key]:
            del self._connections[key]

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
        self.has_admitted.set()
        self._remembered[credential] = (self._wall(), admission)
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return admission

    async def _ask_together(self, credential: Credential) -> Found:
        """Ask the database once for all who come with `credential` at once: a link may have a thousand viewers.

        What was asked before something changed is asked again. Raises RefusedError (503).
        """
        looks, asking = self._asking.get(credential, (-1, None))
        if asking is None or looks != self._looks or asking.done():
            asking = asyncio.create_task(self._ask([credential]))
            self._asking[credential] = self._looks, asking
            asking.add_done_callback(lambda done: self._note_answer(credential, done))
        return await asyncio.shield(asking)  # one who leaves does not take the answer from the others

    def _note_answer(self, credential: Credential, asked: "asyncio.Task[Found]") -> None:
        """The database has answered, or not: then those who wait are told, if any still do."""
        if not asked.cancelled():
            asked.exception()
        if self._asking.get(credential, (0, None))[1] is asked:
            del self._asking[credential]

    async def _ask(self, credentials: Collection[Credential]) -> Found:
        """Ask the database. Raises RefusedError (503)."""
        logger.debug("Asking the database who looks: %s.", ", ".join(sorted({kind for kind, _ in credentials})))
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
        if not self._admissions:
            self.has_admitted.clear()
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
                is_link = admission.viewer.share is not None
                why = RefusedError(404, LINK_ENDED) if is_link else RefusedError(401, "it has expired: sign in again")
                ended.append((admission, why))
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
        if not tokens and not sessions:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._thread.ask(lambda: note_used(tokens, sessions))
        except (TimeoutError, OSError, DatabaseError) as error:
            logger.debug("What was used last cannot be written: %s", error)

    async def purge_sessions(self) -> None:
        """Delete the sessions that have ended, however many: between two pieces, others' questions are answered."""
        try:
            are_left = True
            while are_left:
                are_left = await self._thread.ask(purge_some) > 0
                await asyncio.sleep(PAUSE_S)
        except (OSError, DatabaseError) as error:
            logger.debug("Sessions that have ended cannot be deleted: %s", error)

    def close(self) -> None:
        """Ask nothing more; who waits for an answer is told that there is none."""
        self._thread.close()
