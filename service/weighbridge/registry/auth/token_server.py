"""Asking a token server: what it answers, how long that holds, and what its refusals
mean."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import httpx
from msgspec import Struct

from weighbridge.domain.limits import (
    TOKEN_BODY_BYTES,
    TOKEN_LIFE_MAX_S,
    TOKEN_LIFE_MIN_S,
)
from weighbridge.domain.text.printable import Secret
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import (
    AddressRefused,
    AuthError,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.net.follow import REDIRECT_STATUSES
from weighbridge.net.guard.reach import Reach
from weighbridge.net.guard.url_parts import redact_url
from weighbridge.registry.auth.realm import realm_refused
from weighbridge.registry.login.credentials import is_bearer_token
from weighbridge.registry.pacing.rate_limiter import Clock

_RENEW_EARLY: Final = 0.1
"""Of its life; so that it does not end on its way to the registry."""
_TRUSTED_AGE_S: Final = 60.0


class TokenRequest(Struct, frozen=True):
    """A GET for a token. `authorization` is None for an anonymous one; `user`: whose it
    is, for messages."""

    url: httpx.URL
    authorization: Secret | None
    ceiling: Reach
    user: str = ""


class BearerToken(Struct, frozen=True):
    """A Bearer token.

    lasts_s: seconds from now in which it is used, already cut short
    """

    text: Secret
    lasts_s: float


def parse_token(body: bytes, now: datetime) -> BearerToken:
    """The token in the body of a token server, at `now` (aware).

    distribution, spec/auth/token.md: `token` or `access_token`, `expires_in` with
    60 as its default, `issued_at`. Raises AuthError(auth_error); the body is a
    secret, so no message repeats any of it.
    """
    text, answer = read_token(body, ("token", "access_token"), unusable_token)
    life = _life_s(answer.get("expires_in"))
    age = _age_s(answer.get("issued_at"), now)
    return BearerToken(text, max(0.0, life * (1 - _RENEW_EARLY) - age))


def read_token(
    body: bytes, names: Sequence[str], unusable: Callable[[str], AuthError]
) -> tuple[Secret, dict[str, object]]:
    """The token that the first of these names has, and all that was answered. The body
    is a secret, so no message repeats any of it. unusable: the error, by its reason"""
    if len(body) > TOKEN_BODY_BYTES:
        raise unusable("its answer is too long")
    try:
        answer = parse_json(body)
    except WeighbridgeError as exc:
        # `from None`: the cause may quote the body.
        raise unusable(f"its answer is not JSON ({exc.code})") from None
    if not isinstance(answer, dict):
        raise unusable("its answer is not a JSON object")
    text = next((answer[name] for name in names if answer.get(name)), None)
    if not isinstance(text, str):
        raise unusable("its answer holds no token")
    if not is_bearer_token(text):
        raise unusable("its token is not visible ASCII")
    return Secret(text), answer


@contextmanager
def token_errors(unusable: Callable[[str], AuthError]) -> Iterator[None]:
    """Around asking for a token. An error that may pass (no connection, 429, 5xx) stays
    what it is; a 404 says nothing about the repository that was asked for."""
    try:
        yield
    except TransportError as exc:
        if exc.code != "too_large":
            raise
        raise unusable("its answer is too long") from exc
    except RegistryError as exc:
        if exc.retryable or isinstance(exc, AuthError):
            raise
        raise unusable(exc.message) from exc


def unusable_token(reason: str) -> AuthError:
    return AuthError(
        f"the registry's token server cannot be used: {reason}",
        hint="ask the operator of the registry",
    )


def _life_s(expires_in: object) -> float:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float):
        return TOKEN_LIFE_MIN_S
    return float(min(max(expires_in, TOKEN_LIFE_MIN_S), TOKEN_LIFE_MAX_S))


def _age_s(issued_at: object, now: datetime) -> float:
    """How old the token is already; 0 where the server's clock is not ours."""
    if not isinstance(issued_at, str):
        return 0.0
    try:
        age = (now - datetime.fromisoformat(issued_at)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0.0  # no time, or one without a zone
    return age if 0.0 <= age <= _TRUSTED_AGE_S else 0.0


_TOKEN: Final[dict[str, object]] = {
    "operation": "token",
    "handles": REDIRECT_STATUSES,
    "body_limit": TOKEN_BODY_BYTES,
    "may_repeat": True,
}


async def fetch_token(
    http: httpx.AsyncClient, clock: Clock, request: TokenRequest
) -> BearerToken:
    """A new token. An error that may pass (no connection, 429, 5xx) stays what it is.

    http: over a `PacedTransport`
    Raises AuthError (auth_error, realm_refused, unauthorized), TransportError,
    RegistryError.
    """
    shown = request.authorization
    try:
        with token_errors(unusable_token):
            response = await http.get(
                request.url,
                headers={} if shown is None else {"Authorization": shown.reveal()},
                extensions=_TOKEN | {"ceiling": request.ceiling},
            )
    except AddressRefused as exc:
        raise realm_refused(request.url, exc.message) from exc
    if response.status_code in REDIRECT_STATUSES:
        # Where it leads could be anyone who then is shown our credential.
        raise realm_refused(request.url, "it redirects, which is not followed")
    if response.status_code == 401:
        raise AuthError(
            f"the registry refused {request.user or 'anonymous users'}: its token"
            f" server {redact_url(str(request.url))} answered 401",
            code="unauthorized",
            hint="check the user name and password in `auth`"
            if shown
            else "give `auth` for it, run `docker login`, or --user NAME",
        )
    return parse_token(response.content, clock.now())
