"""`WWW-Authenticate`: the challenges of a 401 (RFC 9110 11.6.1); which token servers a
registry may send us to by them, and with what; and asking one: what it answers, how
long that holds, and what its refusals mean."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import httpx
from msgspec import Struct, field

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
from weighbridge.net.guard.addresses import (
    Reach,
    origin,
    reach_of_host,
    redact_url,
)
from weighbridge.net.transport import REDIRECT_STATUSES
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.login.credentials import is_bearer_token
from weighbridge.registry.pacing.rate_limiter import Clock

CHALLENGE_CHARACTERS: Final = 8 * 1024
"""All header lines together; real ones are below 1 KiB."""

_BLANK: Final = re.compile(r"[ \t]*")
_BETWEEN: Final = re.compile(r"[ \t,]*")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_EQUALS: Final = re.compile(r"[ \t]*=[ \t]*")
_QUOTED: Final = re.compile(
    r'"((?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*)"',
)
_ESCAPE: Final = re.compile(r"\\(.)")
# Possessive, so that it never tries a shorter piece. A lone `realm=` is one, too:
# by the grammar it is no parameter.
_TOKEN68: Final = re.compile(r"[A-Za-z0-9._~+/-]++=*+(?=[ \t]*(?:,|$))")


class Challenge(Struct, frozen=True):
    """One way in. `scheme` and the names of `params` are lower case.

    params: empty where the scheme stands alone or with a token68
    """

    scheme: str
    params: Mapping[str, str] = field(default_factory=dict)


def parse(values: list[str]) -> list[Challenge]:
    """All challenges of these header lines, in their order.

    Raises AuthError(auth_error) for what is not the grammar: a guess at a
    challenge is a guess at where credentials go.
    """
    if sum(map(len, values)) > CHALLENGE_CHARACTERS:
        raise _malformed("it is too long")
    return [challenge for value in values for challenge in _parse_line(value)]


def _parse_line(text: str) -> list[Challenge]:
    challenges: list[Challenge] = []
    at = _skip(_BETWEEN, text, 0)
    while at < len(text):
        scheme = _TOKEN.match(text, at)
        if scheme is None:
            raise _malformed("a scheme is missing")
        params, at = _parse_rest(text, scheme.end())
        challenges.append(Challenge(scheme[0].lower(), params))
    return challenges


def _parse_rest(text: str, at: int) -> tuple[dict[str, str], int]:
    """What follows a scheme, and where the next challenge begins."""
    start = _skip(_BLANK, text, at)
    if start == len(text) or text[start] == ",":
        return {}, _next_element(text, start)
    if start == at:
        raise _malformed("a scheme runs into something else")
    if lump := _TOKEN68.match(text, start):
        return {}, _next_element(text, lump.end())
    return _parse_params(text, start)


def _parse_params(text: str, at: int) -> tuple[dict[str, str], int]:
    params: dict[str, str] = {}
    while (name := _TOKEN.match(text, at)) and (
        equals := _EQUALS.match(text, name.end())
    ):
        value, end = _parse_value(text, equals.end())
        if name[0].lower() in params:
            raise _malformed("a parameter stands there twice")
        params[name[0].lower()] = value
        at = _next_element(text, end)
    if not params:
        raise _malformed("a parameter has no value")
    return params, at


def _parse_value(text: str, at: int) -> tuple[str, int]:
    if quoted := _QUOTED.match(text, at):
        return _ESCAPE.sub(r"\1", quoted[1]), quoted.end()
    if plain := _TOKEN.match(text, at):
        return plain[0], plain.end()
    raise _malformed("a parameter has no value")


def _next_element(text: str, at: int) -> int:
    """Where the next element of the list begins: after a comma, or at the end."""
    start = _skip(_BETWEEN, text, at)
    if start < len(text) and "," not in text[at:start]:
        raise _malformed("a comma is missing")
    return start


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _malformed(reason: str) -> AuthError:
    return AuthError(
        f"the registry's WWW-Authenticate header cannot be read: {reason}",
        hint="ask the operator of the registry; a proxy before it may have changed it",
    )


# A registry on the left may have its token server on the right. A shared parent
# domain proves nothing: azurecr.io, jfrog.io and pkg.dev hold many tenants.
_TOKEN_HOSTS: Final = {
    "registry-1.docker.io": "auth.docker.io",
    "registry.gitlab.com": "gitlab.com",
}
_NOT_LIFTED: Final = (
    "the realm must be put right at the registry: trusted_realm_hosts cannot allow it"
)
_VISIBLE: Final = re.compile(r"[!-\[\]-~]{1,2048}")  # no backslash


class Realm(Struct, frozen=True):
    """A token server that may be asked.

    with_credential: whether our credential may go there
    ceiling:         the most private class of addresses that it may lead to
    """

    url: httpx.URL
    with_credential: bool
    ceiling: Reach


def allowed_realm(text: str, endpoint: Endpoint) -> Realm:
    """The realm of a challenge, if our credential (or, where there is none, an
    anonymous request) may go to it. Raises AuthError(realm_refused)."""
    url = _parse(text)
    scheme, host, port = origin(url)
    home_scheme, home_host, home_port = endpoint.origin
    if home_scheme == "https" and scheme != "https":
        raise realm_refused(url, "it is not https, and the registry is", _NOT_LIFTED)
    place, is_at_home = endpoint.place, (host, port) == (home_host, home_port)
    if is_at_home and place.is_of_another(url.raw_path):
        raise realm_refused(
            url, "it may be of another registry of this host", _NOT_LIFTED
        )
    if is_at_home and place.holds_path(url.raw_path):
        return Realm(url, True, endpoint.ceiling)
    if _is_trusted(host, port, endpoint.trusted_realm_hosts):
        # Whoever names a host in the configuration has lifted the ceiling for it.
        return Realm(url, True, Reach.LOOPBACK)
    is_pair = _TOKEN_HOSTS.get(home_host) == host and port == home_port == 443
    if is_pair and scheme == home_scheme == "https":
        return Realm(url, True, endpoint.ceiling)
    if is_at_home and endpoint.who is None:
        return Realm(url, False, endpoint.ceiling)
    if is_at_home:
        raise realm_refused(url, f"it is not below {place.prefix}, as the registry is")
    if _is_literal(host):
        raise realm_refused(url, "it is not the registry's own address")
    if endpoint.who is not None:
        raise realm_refused(url, "the credential for this registry does not go there")
    if scheme != "https":
        raise realm_refused(url, "it is not https", _NOT_LIFTED)
    return Realm(url, False, Reach.PUBLIC)


def realm_refused(url: httpx.URL, reason: str, hint: str = "") -> AuthError:
    """The error for a token server that is not asked, naming the way to allow it."""
    address = url.netloc.decode("ascii")
    return AuthError(
        f"the registry names {redact_url(str(url))} as its token server: {reason}",
        code="realm_refused",
        hint=hint or f"if {address} is right, add {address!r} to trusted_realm_hosts",
    )


def _parse(text: str) -> httpx.URL:
    if not _VISIBLE.fullmatch(text):
        raise _unreadable(text, "it is empty, too long or not visible ASCII")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise _unreadable(text, "it is no URL") from exc
    _, host, port = origin(url)
    if not host or not 0 < port < 65_536:
        raise _unreadable(text, "it is no http or https address with a host")
    if url.userinfo:
        raise _unreadable(text, "it holds a user name")
    return url.copy_with(fragment=None)


def _unreadable(text: str, reason: str) -> AuthError:
    return AuthError(
        f"the registry names {redact_url(text[:200])} as its token server: {reason}",
        code="realm_refused",
        hint=_NOT_LIFTED,
    )


def _is_trusted(host: str, port: int, trusted: frozenset[str]) -> bool:
    """A name may stand there without a port; an address or localhost may not, as
    everything that runs on this machine or in its network has one."""
    bracketed = f"[{host}]" if ":" in host else host
    if f"{bracketed}:{port}" in trusted:
        return True
    return host in trusted and not _is_literal(host)


def _is_literal(host: str) -> bool:
    try:
        return reach_of_host(host) is not None
    except AddressRefused:
        return True


_RENEW_EARLY: Final = 0.1
"""Of its life; so that it does not end on its way to the registry."""
_TRUSTED_AGE_S: Final = 60.0


class TokenRequest(Struct, frozen=True):
    """Asking for a token, by GET.

    authorization: None for an anonymous one
    user:          whose it is, for messages
    refresh_token: with which it is asked for by POST before
    """

    url: httpx.URL
    authorization: Secret | None
    ceiling: Reach
    user: str = ""
    refresh_token: Secret | None = None


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


_EXTENSIONS: Final[dict[str, object]] = {
    "operation": "token",
    "handles": REDIRECT_STATUSES,
    "body_limit": TOKEN_BODY_BYTES,
    "may_repeat": True,
}
_NO_POST: Final = frozenset((400, 401, 404, 405))
"""Token servers that know GET alone say so by one of these: Azure's for some
credentials, Artifactory, Google and Harbor (containerd, docker/authorizer.go)."""
_CLIENT_ID: Final = "weighbridge"


async def fetch_token(
    http: httpx.AsyncClient, clock: Clock, request: TokenRequest
) -> BearerToken:
    """A new token. An error that may pass (no connection, 429, 5xx) stays what it is.

    http: over a `PacedTransport`
    Raises AuthError (auth_error, realm_refused, unauthorized), TransportError,
    RegistryError.
    """
    try:
        with token_errors(unusable_token):
            response = await _ask(http, request)
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
            hint=_what_to_do(request),
        )
    return parse_token(response.content, clock.now())


def _what_to_do(request: TokenRequest) -> str:
    if request.refresh_token is not None:
        return "it may have ended: sign in again and put the new one in `auth`"
    if request.authorization is not None:
        return "check the user name and password in `auth`"
    return "give `auth` for it, run `docker login`, or --user NAME"


async def _ask(http: httpx.AsyncClient, request: TokenRequest) -> httpx.Response:
    extensions = _EXTENSIONS | {"ceiling": request.ceiling}
    if request.refresh_token is not None:
        answer = await _post(http, request, request.refresh_token, extensions)
        if answer.status_code not in _NO_POST:
            return answer
    shown = request.authorization
    return await http.get(
        request.url,
        headers={} if shown is None else {"Authorization": shown.reveal()},
        extensions=extensions,
    )


async def _post(
    http: httpx.AsyncClient,
    request: TokenRequest,
    refresh_token: Secret,
    extensions: dict[str, object],
) -> httpx.Response:
    """distribution, spec/auth/oauth.md: service and scope stand in the form, with a
    `client_id`, and no `Authorization` is sent."""
    own = {name: request.url.params.get(name) for name in ("service", "scope")}
    form = {"grant_type": "refresh_token", "client_id": _CLIENT_ID}
    form |= {name: value for name, value in own.items() if value}
    return await http.post(
        request.url.copy_remove_param("service").copy_remove_param("scope"),
        data=form | {"refresh_token": refresh_token.reveal()},
        extensions=extensions | {"handles": REDIRECT_STATUSES | _NO_POST},
    )
