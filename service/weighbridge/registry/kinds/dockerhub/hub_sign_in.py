"""How Docker Hub's own API is signed in to: a token for a password.

docker/docs, hub/latest.yaml: `POST /v2/auth/token` with `identifier` (a user, or an
organisation) and `secret` (a password, a personal or an organisation's access token).
The older `/v2/users/login` is deprecated.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import httpx
from msgspec import Struct

from weighbridge.domain.limits import TOKEN_BODY_BYTES
from weighbridge.domain.text.secret import Secret
from weighbridge.errors import AuthError
from weighbridge.net.follow import REDIRECT_STATUSES
from weighbridge.registry.auth.token_answer import read_token, token_errors
from weighbridge.registry.login.credentials import Credential, bearer
from weighbridge.registry.pacing.clock import Clock

TOKEN_LASTS_S: Final = 9 * 60.0
"""The API's tokens hold ten minutes and do not say so."""
_REFUSALS: Final = frozenset((401, 403))
_TOKEN: Final[dict[str, object]] = {
    "operation": "token",
    "handles": REDIRECT_STATUSES | _REFUSALS,
    "body_limit": TOKEN_BODY_BYTES,
    "may_repeat": True,  # a token more changes nothing
}


class _Token(Struct, frozen=True):
    """The value of `Authorization`, and the monotonic time at which it is not used any
    more."""

    authorization: Secret
    until: float


class HubSignIn(httpx.Auth):
    """One token for all requests, none for anonymous users. A password that was
    refused is not tried again by this client.

    http: asks without this, at the API's pace
    """

    def __init__(
        self,
        url: str,
        credential: Credential | None,
        http: httpx.AsyncClient,
        clock: Clock,
    ) -> None:
        self._url = f"{url}/v2/auth/token"
        self._credential = credential
        self._http = http
        self._clock = clock
        self._kept: _Token | None = None
        self._is_refused = False
        self._lock = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The request with the token that we have, or a new one; again with another
        where that had ended. A new one that is refused is final."""
        token, is_new = await self._token(refused=None)
        response = yield _with(token, request)
        if response.status_code == 401 and token is not None and not is_new:
            token, _ = await self._token(refused=token)
            yield _with(token, request)

    async def _token(self, refused: _Token | None) -> tuple[_Token | None, bool]:
        """A token, and whether it was fetched for this very request."""
        credential = self._credential
        if credential is None or credential.password is None:
            return None, False
        async with self._lock:  # those who wait get the token of the first
            if self._is_refused:
                raise _refused(credential)
            if self._kept is not None and self._is_good(self._kept, refused):
                return self._kept, False
            self._kept = None
            self._kept = await self._sign_in(credential, credential.password)
            return self._kept, True

    def _is_good(self, kept: _Token, refused: _Token | None) -> bool:
        if refused is not None and kept.authorization == refused.authorization:
            return False
        return self._clock.monotonic() < kept.until

    async def _sign_in(self, credential: Credential, password: Secret) -> _Token:
        sent = {"identifier": credential.username, "secret": password.reveal()}
        with token_errors(_unusable):
            response = await self._http.post(self._url, json=sent, extensions=_TOKEN)
        if response.status_code in _REFUSALS:
            self._is_refused = True
            raise _refused(credential)
        if response.status_code in REDIRECT_STATUSES:
            raise _unusable("it redirects, and a password does not follow")
        token = parse_hub_token(response.content)
        return _Token(bearer(token), self._clock.monotonic() + TOKEN_LASTS_S)


def parse_hub_token(raw: bytes) -> Secret:
    """`{"access_token": ...}`. Raises AuthError(auth_error)."""
    return read_token(raw, ("access_token",), _unusable)[0]


def _with(token: _Token | None, request: httpx.Request) -> httpx.Request:
    if token is not None:
        request.headers["Authorization"] = token.authorization.reveal()
    return request


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
