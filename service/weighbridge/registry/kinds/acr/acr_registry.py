"""Azure Container Registry over `/v2`, and who we are there by workload identity.

Kubernetes writes a token of the pod's service account into a file. Entra takes it for
one of its own, the registry takes that for a refresh token, and that is good for any
token of the registry (Azure/acr, docs/AAD-OAuth.md; learn.microsoft.com,
v2-oauth2-client-creds-grant-flow, "Federated credential").
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import httpx
from msgspec.structs import replace

from weighbridge.config.file.regular_file import read_secret_file
from weighbridge.config.value.written_address import is_loopback
from weighbridge.domain.limits import TOKEN_BODY_BYTES
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError, ConfigError
from weighbridge.registry.auth.token_server import (
    read_token,
    token_errors,
    unusable_token,
)
from weighbridge.registry.exchange.endpoint import Endpoint, KindAccess
from weighbridge.registry.exchange.paced_exchange import PacedExchange, api_client
from weighbridge.registry.exchange.vendor_api import api_endpoint
from weighbridge.registry.kinds.distribution.distribution_registry import (
    DistributionRegistry,
)
from weighbridge.registry.login.credentials import Credential, GivenCredential
from weighbridge.registry.login.given_login import GivenLogin

_PUBLIC_ENTRA: Final = "https://login.microsoftonline.com/"
_SCOPE: Final = "https://containerregistry.azure.net/.default"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_REFRESH_USER: Final = "00000000-0000-0000-0000-000000000000"
"""The user name by which Azure takes a refresh token for the password."""
_USED_S: Final = 3_600.0
"""A refresh token holds for three hours."""
_EXTENSIONS: Final[dict[str, object]] = {
    "operation": "token",
    "handles": frozenset((301, 302, 303, 307, 308, 400, 401, 403)),
    "body_limit": TOKEN_BODY_BYTES,
    "may_repeat": True,
}
_ID: Final = re.compile(r"[0-9A-Za-z.-]{1,253}", re.ASCII)
_FAULT: Final = re.compile(rb"AADSTS[0-9]{3,9}")
_BINDING: Final = (
    "give the pod the label azure.workload.identity/use and its service account the"
    " annotation azure.workload.identity/client-id, or write the password of a token of"
    " the registry in `auth`"
)


class _Identity(NamedTuple):
    """What the webhook of workload identity tells a pod."""

    tenant: str
    client: str
    token_file: Path


class WorkloadIdentity:
    """A pod's identity at Entra; its text is for messages.

    entra:    for Entra alone
    registry: for the registry alone
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        service: str,
        entra: httpx.AsyncClient,
        registry: httpx.AsyncClient,
    ) -> None:
        self._environ = environ
        self._service = service
        self._entra = entra
        self._registry = registry

    def __str__(self) -> str:
        client = self._environ.get("AZURE_CLIENT_ID", "")
        name = f" {client}" if _ID.fullmatch(client) else ""
        return f"the workload identity{name} of Azure"

    async def ask(self) -> GivenCredential:
        """A new refresh token. Raises AuthError (auth_error, unauthorized),
        TransportError, RegistryError."""
        who = self._identity()
        try:
            assertion = read_secret_file(who.token_file)
        except ConfigError as error:
            raise AuthError(
                f"{self} has no token: {error.message}", hint=_BINDING
            ) from error
        form = {
            "grant_type": "client_credentials",
            "client_id": who.client,
            "scope": _SCOPE,
            "client_assertion_type": _ASSERTION,
            "client_assertion": assertion.reveal(),
        }
        path = f"/{who.tenant}/oauth2/v2.0/token"
        token = await self._post(self._entra, path, form, "access_token")
        form = {
            "grant_type": "access_token",
            "service": self._service,
            "tenant": who.tenant,
            "access_token": token.reveal(),
        }
        token = await self._post(
            self._registry, "/oauth2/exchange", form, "refresh_token"
        )
        return GivenCredential(Credential(_REFRESH_USER, token), _USED_S)

    def refused(self) -> AuthError:
        """What to say of a token that is refused as soon as it was given."""
        return AuthError(
            f"the registry refuses the token of {self}",
            code="unauthorized",
            hint="give it the role AcrPull on the registry",
        )

    async def aclose(self) -> None:
        """End every connection."""
        await self._entra.aclose()
        await self._registry.aclose()

    def _identity(self) -> _Identity:
        names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE")
        found = [self._environ.get(name, "") for name in names]
        if lacking := [n for n, value in zip(names, found, strict=True) if not value]:
            raise AuthError(
                f"no workload identity of Azure was found on this machine:"
                f" {' and '.join(lacking)} not set",
                hint=_BINDING,
            )
        tenant, client, path = found
        if not (_ID.fullmatch(tenant) and _ID.fullmatch(client)):
            raise AuthError(
                "AZURE_TENANT_ID or AZURE_CLIENT_ID is no id", hint=_BINDING
            )
        return _Identity(tenant, client, Path(path))

    async def _post(
        self, http: httpx.AsyncClient, path: str, form: dict[str, str], name: str
    ) -> Secret:
        with token_errors(unusable_token):
            answer = await http.post(path, data=form, extensions=dict(_EXTENSIONS))
        host = http.base_url.netloc.decode("ascii")
        if answer.status_code != 200:
            fault = _FAULT.search(answer.content)
            words = f" ({fault[0].decode()})" if fault else ""
            raise AuthError(
                f"{host} refused {self}: it answered {answer.status_code}{words}",
                code="unauthorized",
                hint="check the federated credential of the identity (issuer, subject"
                " and audience), its tenant, its role AcrPull on the registry, and"
                " AZURE_AUTHORITY_HOST where it is not Azure's public cloud",
            )
        return read_token(answer.content, (name,), unusable_token)[0]


class AcrRegistry(DistributionRegistry):
    """`ports.Registry` of Azure Container Registry, as what this machine is."""

    def __init__(
        self,
        endpoint: Endpoint,
        access: KindAccess,
        identity: WorkloadIdentity,
        exchanges: tuple[PacedExchange, ...],
    ) -> None:
        super().__init__(
            endpoint,
            access.connections(endpoint),
            access.telemetry,
            clock=access.clock,
        )
        self._identity = identity
        for exchange in exchanges:
            exchange.counts.cost = self.cost

    async def aclose(self) -> None:
        try:
            await self._identity.aclose()
        finally:
            await super().aclose()


def open_acr(endpoint: Endpoint, access: KindAccess) -> DistributionRegistry:
    """One that is closed by whoever opened it. Raises AuthError(auth_error) where the
    environment names a server of tokens that is none."""
    settings = access.settings
    if settings is None or not settings.is_ambient:
        return DistributionRegistry(
            endpoint, access.connections(endpoint), access.telemetry, clock=access.clock
        )
    entra = api_endpoint(endpoint, _entra_url(os.environ), access)
    exchanges, clients = [], []
    for there in (entra, endpoint):
        exchange = PacedExchange(there, access.telemetry, access.clock)
        connections = access.connections(there, is_api=True)
        http = api_client(there, exchange, connections)
        http.base_url = httpx.URL(there.url)
        exchanges.append(exchange)
        clients.append(http)
    service = httpx.URL(endpoint.url).netloc.decode("ascii")
    identity = WorkloadIdentity(os.environ, service, *clients)
    login = GivenLogin(identity, identity.ask, access.clock, identity.refused)
    return AcrRegistry(
        replace(endpoint, login=login), access, identity, tuple(exchanges)
    )


def _entra_url(environ: Mapping[str, str]) -> str:
    """Of the server that the environment names: each cloud of Azure has its own."""
    text = environ.get("AZURE_AUTHORITY_HOST", "") or _PUBLIC_ENTRA
    try:
        url = httpx.URL(text if "://" in text else f"https://{text}")
    except httpx.InvalidURL:
        url = httpx.URL("")
    is_plain = url.scheme == "http" and is_loopback(url.host)
    if not url.host or url.userinfo or not (url.scheme == "https" or is_plain):
        raise AuthError(
            "AZURE_AUTHORITY_HOST is no https address",
            hint=f"such as {_PUBLIC_ENTRA}; the webhook of workload identity sets it",
        )
    return str(url.copy_with(raw_path=b"/")).rstrip("/")
