"""Asking a token server, and what its refusals mean."""

from typing import Final

import httpx

from weighbridge.domain.limits import TOKEN_BODY_BYTES
from weighbridge.errors import AddressRefused, AuthError
from weighbridge.net.failure.redact import redact_url
from weighbridge.net.follow import REDIRECT_STATUSES
from weighbridge.registry.auth.authorizer import TokenRequest
from weighbridge.registry.auth.realm import realm_refused
from weighbridge.registry.auth.token_answer import (
    BearerToken,
    parse_token,
    token_errors,
    unusable_token,
)
from weighbridge.registry.pacing.clock import Clock

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
