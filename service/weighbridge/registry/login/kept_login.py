"""A credential that a file has, and that is read again where it has been replaced."""

import asyncio
from collections.abc import Callable

import structlog

from weighbridge.config.file.regular_file import SeenFiles
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import ConfigError, UsageError
from weighbridge.registry.login.credentials import Credential


class KeptLogin:
    """A `CredentialSource` over files.

    A file is looked at once its credential was refused, and read where it is another
    one. One that cannot be used then is said in the log, once; the credential at hand
    stays, and with it the refusal. So does one of another sort (a token in the place of
    a password): the next client takes that.

    credential: as it was read
    seen:       the files, as they were before that
    read:       what they say now; None for nothing. Raises ConfigError, UsageError
    """

    def __init__(
        self,
        credential: Credential,
        seen: SeenFiles,
        read: Callable[[], Credential | None],
    ) -> None:
        self._now = credential
        self._seen = seen
        self._read = read
        self._has_told = False
        self._lock = asyncio.Lock()
        self._log = structlog.get_logger("weighbridge.registry")

    def __str__(self) -> str:
        return str(self._now)

    async def credential(self, refused: Secret | None) -> Credential:
        """See `CredentialSource`; no error is raised."""
        if refused is None or refused != self._now.authorization():
            return self._now
        async with self._lock:  # those who wait get what the first has read
            if refused == self._now.authorization():
                # In a thread: a network's file system, or a credential helper.
                await asyncio.to_thread(self._look)
        return self._now

    def _look(self) -> None:
        seen = self._seen.again()
        if seen == self._seen:
            return
        try:
            found = self._read()
        except (ConfigError, UsageError) as exc:
            self._tell(exc.code, exc.message)
            return
        if found is None:
            self._tell("docker_config", "there is no login for the registry any more")
        elif (found.token is None) == (self._now.token is None):
            self._now, self._seen, self._has_told = found, seen, False

    def _tell(self, code: str, message: str) -> None:
        if not self._has_told:
            self._has_told = True
            self._log.warning("credential_not_read_again", code=code, reason=message)
