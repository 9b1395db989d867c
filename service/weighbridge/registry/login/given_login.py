"""A credential that is given for a time, kept for all requests of a client."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError
from weighbridge.registry.login.credentials import Credential, GivenCredential
from weighbridge.registry.pacing.rate_limiter import Clock

_NEW_S: Final = 60.0
"""A credential that is refused so soon is not replaced by another; and where none is
given, none is asked for again in that time."""


class GivenLogin:
    """`CredentialSource`: asked for once it is needed, renewed before its end, and
    replaced where the registry refuses it.

    who:     whose it is; its text is for messages
    ask:     gives a new one; raises AuthError, TransportError, RegistryError
    refused: what to say of one that is refused as soon as it was given
    """

    def __init__(
        self,
        who: object,
        ask: Callable[[], Awaitable[GivenCredential]],
        clock: Clock,
        refused: Callable[[], AuthError],
    ) -> None:
        self._who = who
        self._new = ask
        self._clock = clock
        self._refused = refused
        self._lock = asyncio.Lock()
        self._kept: Credential | None = None
        self._refusal: AuthError | None = None
        self._began_at = 0.0
        self._until = 0.0

    def __str__(self) -> str:
        return str(self._who)

    async def credential(self, refused: Secret | None) -> Credential | None:
        """See `CredentialSource`."""
        async with self._lock:  # those who wait get the one of the first
            now = self._clock.monotonic()
            if self._refusal is not None and now - self._began_at < _NEW_S:
                raise self._refusal
            kept = self._kept
            is_refused = kept is not None and kept.basic() == refused
            if is_refused and now - self._began_at < _NEW_S:
                raise self._refused()
            if kept is None or is_refused or now >= self._until:
                kept = await self._ask()
            return kept

    async def _ask(self) -> Credential:
        self._refusal = None
        try:
            given = await self._new()
        except AuthError as error:
            # Hundreds wait for it, and would each be told the same.
            self._refusal, self._began_at = error, self._clock.monotonic()
            raise
        self._kept = given.credential
        self._began_at = self._clock.monotonic()
        self._until = self._began_at + given.lasts_s
        return self._kept
