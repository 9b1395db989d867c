"""Asks a Weighbridge that serves which limits hold for an image."""

import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import quote

import httpx

from weighbridge.config import is_loopback
from weighbridge.domain.base.told_bases import (
    MOST_CHAINS,
    ToldBase,
    parse_told_bases,
)
from weighbridge.domain.check.image_check import ServiceLimits, parse_service_limits
from weighbridge.domain.image.reference import without_login
from weighbridge.domain.text.printable import Secret, printable
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import DocumentError, RegistryError, UsageError
from weighbridge.net.connection.connect import client_tls
from weighbridge.net.connections import Connections
from weighbridge.net.failure.request_failures import our_errors
from weighbridge.net.guard.addresses import Reach
from weighbridge.net.transport import Transport, client_over

Answer = TypeVar("Answer")
_DEADLINE_S: Final = 15.0
_BODY_BYTES: Final = 256 * 1024
_WORDS: Final = 200
_TOKEN: Final = re.compile(r"[!-~]{1,512}", re.ASCII)
_WANTED: Final = "WEIGHBRIDGE_TOKEN or --token-file FILE, with a token of role read"


@dataclass(frozen=True, slots=True)
class Service:
    """A Weighbridge that serves, as a person named it.

    token:   None where it may be read without one
    ca_file: of the authority that its certificate is from; None: the system's
    """

    url: str
    token: Secret | None = field(default=None, repr=False)
    ca_file: str | None = None


def service_at(
    url: str,
    token: Secret | None = None,
    ca_file: str | None = None,
    *,
    plain_http: bool = False,
) -> Service:
    """plain_http: whether http may leave this machine.

    Raises UsageError(invalid_server) for what is no http(s) URL, or whose token no
    request could carry."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise _no_server(without_login(url)) from exc
    is_plain = not (parsed.userinfo or parsed.query or parsed.fragment)
    if parsed.scheme not in ("http", "https") or not parsed.host or not is_plain:
        raise _no_server(without_login(url))
    if parsed.scheme == "http" and not (plain_http or is_loopback(parsed.host)):
        raise UsageError(
            f"{url} is asked without TLS: the token and the limits could be read and "
            "changed on the way",
            code="invalid_server",
            hint="https://..., or --plain-http where that is known and right",
        )
    if token is not None and not _TOKEN.fullmatch(token.reveal()):
        raise UsageError(
            "the token holds what no token of Weighbridge does",
            code="invalid_server",
            hint="check WEIGHBRIDGE_TOKEN or the file of --token-file",
        )
    return Service(url.rstrip("/"), token, ca_file)


async def limits_of_service(service: Service, reference: str) -> ServiceLimits:
    """What it says of this image, which it need not know yet. Raises as `_asked`."""
    path = f"/api/v1/limits?ref={quote(reference, safe='')}"
    return await _asked(service, path, parse_service_limits)


async def bases_of_service(
    service: Service, chains: Sequence[bytes]
) -> Sequence[ToldBase]:
    """The bases that it knows of these lists of layers. Raises as `_asked`."""
    if not chains:
        return ()
    wanted = ",".join(chain.hex() for chain in chains[:MOST_CHAINS])
    path = f"/api/v1/known-bases?chains={wanted}"
    return await _asked(service, path, parse_told_bases)


async def _asked(
    service: Service, path: str, parse: Callable[[bytes], Answer]
) -> Answer:
    """What it answers.

    Its address was named by whoever runs us, so it may be any but those that are never
    reached; nobody is sent on from there, with the token or without.
    Raises TransportError, AuthError, RegistryError(server_refused) and
    DocumentError(invalid_limits).
    """
    connections = Connections(connections=1, tls=_tls(service))
    transport = Transport(connections, ceiling=Reach.LOOPBACK, body_limit=_BODY_BYTES)
    async with client_over(transport, _DEADLINE_S) as http:
        with our_errors():
            answer = await http.get(
                f"{service.url}{path}",
                headers=_headers(service),
                extensions={"may_repeat": True},
            )
    if answer.status_code == 200:
        try:
            return parse(answer.content)
        except DocumentError as exc:
            exc.hint = f"check that {service.url} is a Weighbridge of this version"
            raise
    raise _refusal(service, answer)


def _tls(service: Service) -> ssl.SSLContext | None:
    # Reading the system's certificates takes longer than asking on loopback.
    return client_tls(service.ca_file) if service.url.startswith("https:") else None


def _headers(service: Service) -> dict[str, str]:
    accepted = {"Accept": "application/json"}
    if service.token is None:
        return accepted
    return accepted | {"Authorization": f"Bearer {service.token.reveal()}"}


def _refusal(service: Service, answer: httpx.Response) -> RegistryError:
    status = answer.status_code
    said = _said(answer.content)
    words = f": {said}" if said else ""
    error = RegistryError(
        f"{service.url} does not say which limits hold: {status}{words}",
        code="server_refused",
        hint="check that this is the address of a Weighbridge",
        retryable=status >= 500,
    )
    if status in (401, 403):
        error.hint = _WANTED
    elif status >= 500:
        error.hint = "again later"
    return error


def _said(body: bytes) -> str:
    """The message of the API's one shape of errors, "" for anything else."""
    try:
        value = parse_json(body)
    except DocumentError:
        return ""
    error = value.get("error") if isinstance(value, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return printable(message, _WORDS) if isinstance(message, str) else ""


def _no_server(shown: str) -> UsageError:
    return UsageError(
        f"{printable(shown, 80)!r} is no address of a Weighbridge",
        code="invalid_server",
        hint="write https://weighbridge.example or http://127.0.0.1:8080",
    )
