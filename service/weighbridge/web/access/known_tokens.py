"""The tokens that are valid now, kept in memory so that no request has to wait."""

import hmac
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import structlog

from weighbridge.domain.access.roles import AccessToken, could_be_token, digest_of
from weighbridge.errors import StoreError
from weighbridge.store.access import note_use, valid_tokens
from weighbridge.store.connection.deadlines import within
from weighbridge.store.session import Database
from weighbridge.web.request.threads import DATABASE_S

KEPT_S: Final = 5.0
"""So long after it was revoked a token may still be taken."""
REFRESH_S: Final = 2.0
"""While the app is served: a request then never reads the table itself."""
UNANSWERED_S: Final = 600.0
"""So long the last known ones are taken while the database does not answer: metrics
that tell of it stay readable."""
NOTED_EVERY: Final = timedelta(minutes=1)


class KnownTokens:
    """Finds tokens by their text. Safe to share between threads.

    An unknown text costs no query, so nobody can keep the database busy with guesses.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._valid: Mapping[bytes, AccessToken] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._is_watched = False
        self._used: dict[int, datetime] = {}
        self._noted: dict[int, datetime] = {}
        self._log = structlog.get_logger("weighbridge.access")

    @property
    def is_due(self) -> bool:
        """Whether a request is to see to it that the table is read: nobody has tried
        lately. While the app is served `watch` does, and a request only waits where
        nothing is known yet."""
        if self._read_at is not None and (self._is_watched or self._lock.locked()):
            return False
        return self._is_long_since(self._tried_at)

    def refresh(self) -> None:
        """Read the table, unless another thread does or has just done so.

        Only the first reading is waited for: a database that hangs would else hold
        one request after the other, until no thread is left for any.
        """
        wait_s = KEPT_S if self._read_at is None else 0
        if not self._lock.acquire(timeout=wait_s):
            return
        try:
            if self._is_long_since(self._tried_at):
                self._read()
        finally:
            self._lock.release()

    def find(self, text: str) -> AccessToken | None:
        """The valid token with this text; its use is noted. Compared with every one,
        so that the time says nothing.

        Raises StoreError(database_unavailable) where what is known is too old to be
        believed.
        """
        if not could_be_token(text):
            return None
        if self._is_long_since(self._read_at, UNANSWERED_S):
            raise StoreError(
                "the database has not answered for too long which tokens are valid",
                code="database_unavailable",
                retryable=True,
            )
        wanted = digest_of(text)
        now = self._now()
        found: AccessToken | None = None
        for sha256, token in self._valid.items():
            if hmac.compare_digest(sha256, wanted) and token.state(now) == "valid":
                found = token
        if found is not None:
            self._used[found.id] = now
        return found

    def watch(self, stop: threading.Event, every_s: float = REFRESH_S) -> None:
        """Refresh and note uses until told to stop; for a thread of its own."""
        self._is_watched = True
        try:
            while not stop.wait(every_s):
                with self._lock:
                    self._read()
                self.note_uses()
        finally:
            self._is_watched = False
        self.note_uses()

    def note_uses(self) -> None:
        """Keep when tokens were last used: each at most once a minute. What cannot be
        kept now is kept later."""
        for token_id, used_at in list(self._used.items()):
            noted = self._noted.get(token_id)
            if noted is not None and used_at - noted < NOTED_EVERY:
                continue
            try:
                with within(DATABASE_S), self._database.write() as connection:
                    note_use(connection, token_id, used_at, at_most=NOTED_EVERY)
            except StoreError as exc:
                self._log.debug("the use of a token was not noted", code=exc.code)
                return
            self._noted[token_id] = used_at

    def _is_long_since(self, moment: float | None, most_s: float = KEPT_S) -> bool:
        return moment is None or self._clock() - moment >= most_s

    def _read(self) -> None:
        """What cannot be read stays as it was."""
        begun = self._clock()
        with (
            suppress(StoreError),
            within(DATABASE_S),
            self._database.read() as connection,
        ):
            self._valid = valid_tokens(connection, self._now())
            self._read_at = begun
        self._tried_at = self._clock()
