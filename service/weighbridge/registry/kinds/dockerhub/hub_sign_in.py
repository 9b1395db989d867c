"""How Docker Hub's own API is signed in to: a token for a password.

docker/docs, hub/latest.yaml: `POST /v2/auth/token` with `identifier` (a user, or an
organisation) and `secret` (a password, a personal or an organisation's access token).
The older `/v2/users/login` is deprecated.
"""

import asyncio
import json
from typing import Final

from msgspec import Struct

from weighbridge.domain.limits import TOKEN_BODY_BYTES
from weighbridge.domain.text.secret import Secret
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import (
    AuthError,
    RateLimited,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.registry.auth.authorizer import Grant
from weighbridge.registry.auth.token_server import TryToken
from weighbridge.registry.exchange.registry_request import (
    RegistryAnswer,
    RegistryRequest,
)
from weighbridge.registry.login.credentials import Credential, bearer, is_bearer_token
from weighbridge.registry.pacing.clock import Clock

TOKEN_LASTS_S: Final = 9 * 60.0
"""The API's tokens hold ten minutes and do not say so."""
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_REFUSALS: Final = frozenset((401, 403))


class _Kept(Struct, frozen=True):
    """A token, and the monotonic time at which it is not used any more."""

    authorization: Secret
    until: float


class HubSignIn:
    """`sign_in.SignIn` of the API: one token for all questions, none for anonymous
    users. A password that was refused is not tried again by this client."""

    def __init__(
        self, url: str, credential: Credential | None, try_token: TryToken, clock: Clock
    ) -> None:
        self._url = f"{url}/v2/auth/token"
        self._credential = credential
        self._try = try_token
        self._clock = clock
        self._kept: _Kept | None = None
        self._is_refused = False
        self._lock = asyncio.Lock()

    async def grant(self, scope: str) -> Grant:
        """The token that we have, or a new one."""
        return await self._token(refused=None)

    async def answer_challenge(
        self, values: list[str], scope: str, refused: Grant
    ) -> Grant | None:
        """A new token where the one that was shown had ended; None where a new one
        was shown already, or none can be had."""
        if refused.is_new or refused.authorization is None:
            return None
        return await self._token(refused.authorization)

    def renewed(self, grant: Grant) -> Grant:
        """With the token that is good now."""
        if grant.authorization is None or self._kept is None:
            return grant
        if self._kept.authorization == grant.authorization:
            return grant
        return Grant(self._kept.authorization)

    def note_accepted(self, grant: Grant) -> None:
        """Nothing depends on it: a token ends by the clock."""

    def note_over(self, grant: Grant) -> None:
        """Nobody waits for it."""

    async def aclose(self) -> None:
        """Whoever asks for a token does so in a request of its own."""

    async def _token(self, refused: Secret | None) -> Grant:
        credential = self._credential
        if credential is None or credential.password is None:
            return Grant()
        async with self._lock:  # those who wait get the token of the first
            if self._is_refused:
                raise _refused(credential)
            if kept := self._good(refused):
                return Grant(kept.authorization)
            self._kept = None
            self._kept = await self._sign_in(credential, credential.password)
            return Grant(self._kept.authorization, is_new=True)

    def _good(self, refused: Secret | None) -> _Kept | None:
        kept = self._kept
        if kept is None or kept.authorization == refused:
            return None
        return kept if self._clock.monotonic() < kept.until else None

    async def _sign_in(self, credential: Credential, password: Secret) -> _Kept:
        sent = {"identifier": credential.username, "secret": password.reveal()}
        question = RegistryRequest(
            operation="token",
            url=self._url,
            scope="",
            body_limit=TOKEN_BODY_BYTES,
            method="POST",
            handles=_REDIRECTS | _REFUSALS,
            follow_redirects=False,
            secret=Secret(json.dumps(sent)),
        )
        answer = await self._asked(question)
        if answer.status in _REFUSALS:
            self._is_refused = True
            raise _refused(credential)
        if answer.status in _REDIRECTS:
            raise _unusable("it redirects, and a password does not follow")
        token = parse_hub_token(answer.content or b"")
        return _Kept(bearer(token), self._clock.monotonic() + TOKEN_LASTS_S)

    async def _asked(self, question: RegistryRequest) -> RegistryAnswer:
        try:
            return await self._try(question, None)
        except RegistryError as exc:
            if exc.retryable or isinstance(exc, AuthError | RateLimited):
                raise
            # A 404 here says nothing about the repository that was asked for.
            raise _unusable(exc.message) from exc
        except TransportError as exc:
            if exc.code != "too_large":
                raise
            raise _unusable("its answer is too long") from exc


def parse_hub_token(raw: bytes) -> Secret:
    """`{"access_token": ...}`. Raises AuthError(auth_error); the body is a secret, so
    no message repeats any of it."""
    try:
        said = parse_json(raw)
    except WeighbridgeError as exc:
        # `from None`: the cause may quote the body.
        raise _unusable(f"its answer is not JSON ({exc.code})") from None
    text = said.get("access_token") if isinstance(said, dict) else None
    if not isinstance(text, str):
        raise _unusable("its answer holds no token")
    if not is_bearer_token(text):
        raise _unusable("its token is not visible ASCII")
    return Secret(text)


def _refused(credential: Credential) -> AuthError:
    return AuthError(
        f"Docker Hub refuses {credential}",
        code="unauthorized",
        hint="check `auth`; an account with a second factor needs a personal access"
        " token in place of the password",
    )


def _unusable(reason: str) -> AuthError:
    return AuthError(
        f"Docker Hub's sign-in cannot be used: {reason}",
        hint="check `api_url`",
    )
