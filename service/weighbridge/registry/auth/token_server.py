"""Asking a token server, and what its refusals mean."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from weighbridge.domain.limits import TOKEN_BODY_BYTES
from weighbridge.domain.text.secret import Secret
from weighbridge.errors import (
    AddressRefused,
    AuthError,
    NotFound,
    RegistryError,
    TransportError,
)
from weighbridge.net.failure.redact import redact_url
from weighbridge.registry.auth.authorizer import TokenRequest
from weighbridge.registry.auth.realm import realm_refused
from weighbridge.registry.auth.token_answer import (
    BearerToken,
    parse_token,
    unusable_token,
)
from weighbridge.registry.exchange.registry_request import (
    RegistryAnswer,
    RegistryRequest,
)
from weighbridge.registry.pacing.clock import Clock

TryToken: TypeAlias = Callable[
    [RegistryRequest, Secret | None], Awaitable[RegistryAnswer]
]

_REDIRECTS = frozenset((301, 302, 303, 307, 308))


class TokenServer:
    """Turns a token request into a token, or into an AuthError that says why not.

    An error that may pass (no connection, 429, 5xx) stays what it is.
    """

    def __init__(self, try_token: TryToken, clock: Clock) -> None:
        self._try = try_token
        self._clock = clock

    async def fetch(self, request: TokenRequest) -> BearerToken:
        """A new token. Raises AuthError (auth_error, realm_refused, unauthorized),
        TransportError, RegistryError."""
        try:
            answer = await self._try(_question(request), request.authorization)
        except AddressRefused as exc:
            raise realm_refused(request.url, exc.message) from exc
        except TransportError as exc:
            if exc.code == "too_large":
                raise unusable_token("its answer is too long") from exc
            raise
        except NotFound as exc:
            raise unusable_token(exc.message) from exc
        except RegistryError as exc:
            if exc.retryable or isinstance(exc, AuthError):
                raise
            raise unusable_token(exc.message) from exc
        return self._token(request, answer)

    def _token(self, request: TokenRequest, answer: RegistryAnswer) -> BearerToken:
        if answer.status in _REDIRECTS:
            # Where it leads could be anyone who then is shown our credential.
            raise realm_refused(request.url, "it redirects, which is not followed")
        if answer.status == 401:
            raise AuthError(
                f"the registry refused {request.user or 'anonymous users'}: its token"
                f" server {redact_url(str(request.url))} answered 401",
                code="unauthorized",
                hint="check the user name and password in `auth`"
                if request.authorization
                else "give `auth` for it, run `docker login`, or --user NAME",
            )
        return parse_token(answer.content or b"", self._clock.now())


def _question(request: TokenRequest) -> RegistryRequest:
    return RegistryRequest(
        operation="token",
        url=str(request.url),
        scope="",
        body_limit=TOKEN_BODY_BYTES,
        handles=_REDIRECTS,
        follow_redirects=False,
        ceiling=request.ceiling,
    )
